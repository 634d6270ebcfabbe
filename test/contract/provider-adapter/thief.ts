import assert from 'node:assert/strict'
import type { EventStore } from '../../../lib/index.ts'
import { type Caller, type Capabilities, inRequests, type MakeLog, openedStore } from './adapter-under-test.ts'
import { revokeAll } from './grants.ts'
import { newId, sample } from './samples.ts'

/** How many refreshes a thief makes at most: a revocation that it could outrun would never come. */
const MAX_REFRESHES = 200

/**
 * Reuse detection (RFC 9700 section 4.14.2) against somebody who goes on refreshing with the stolen token as fast as the
 * log takes it, at another process than the one that revokes.
 */
export function thiefContract(makeLog: MakeLog, { thiefTries }: Capabilities): void {
  describe('a thief that refreshes while reuse is detected', () => {
    const opened = openedStore(makeLog)

    it(`ends with every token of the grant dead, ${thiefTries} times of ${thiefTries}`, async () => {
      const [victim, thief] = [inRequests(anotherProcess(opened.store)), inRequests(anotherProcess(opened.store))]
      for (let n = 0; n < thiefTries; n++) {
        const [grantId, first] = [newId(), newId()]
        await victim.run(async (adapter) => {
          await adapter('Grant').upsert(grantId, sample('Grant', grantId), 60)
          await adapter('RefreshToken').upsert(first, sample('RefreshToken', first, { grantId }), 60)
        })
        const stolen = await refresh(victim, first)
        const stopped = { yes: false }
        const [issued] = await Promise.all([
          goOn(thief, stolen?.refresh, stopped),
          detectReuse(victim, first, grantId).finally(() => {
            stopped.yes = true
          }),
        ])
        for (const caller of [victim, thief]) {
          const last = issued.at(-1)
          assert.equal(await refresh(caller, last?.refresh), undefined, 'the newest refresh token')
          for (const { access } of issued.slice(-3)) {
            const token = await caller.run((adapter) => adapter('AccessToken').find(access))
            assert.equal(token, undefined, 'an access token')
          }
        }
      }
    })
  })
}

interface Tokens {
  readonly access: string
  readonly refresh: string
}

/** Undefined: refused. */
async function refresh(caller: Caller, token: string | undefined): Promise<Tokens | undefined> {
  return caller.run(async (adapter) => {
    const found = token === undefined ? undefined : await adapter('RefreshToken').find(token)
    const grantId = String(found?.['grantId'])
    if (!found || found['consumed'] !== undefined || !(await adapter('Grant').find(grantId))) return undefined
    const next = { access: newId(), refresh: newId() }
    await adapter('RefreshToken').consume(String(token))
    await adapter('AccessToken').upsert(next.access, sample('AccessToken', next.access, { grantId }), 60)
    await adapter('RefreshToken').upsert(next.refresh, sample('RefreshToken', next.refresh, { grantId }), 60)
    return next
  })
}

/** Until it is refused; no refresh that begins after the revocation was answered may succeed. */
async function goOn(caller: Caller, stolen: string | undefined, stopped: { readonly yes: boolean }): Promise<Tokens[]> {
  const issued: Tokens[] = []
  let token = stolen
  while (issued.length < MAX_REFRESHES) {
    const answered = stopped.yes
    const next = await refresh(caller, token)
    if (!next) break
    assert.ok(!answered, 'a refresh that began after the revocation was answered')
    issued.push(next)
    token = next.refresh
  }
  return issued
}

async function detectReuse(caller: Caller, used: string, grantId: string): Promise<void> {
  await caller.run(async (adapter) => {
    assert.notEqual((await adapter('RefreshToken').find(used))?.['consumed'], undefined)
    await revokeAll(adapter, grantId)
    await adapter('Grant').destroy(grantId)
  })
}

/** The same log, as another process has it: two providers on one store share nothing else. */
function anotherProcess(store: EventStore): EventStore {
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}
