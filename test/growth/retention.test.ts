import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { FileEventStore } from '../../adapters/file/index.ts'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type EventSourced, type EventStore, ephemeralKeys, eventSourced, silent } from '../../lib/index.ts'
import { LogRetention } from '../../lib/retention/retention.ts'
import { retentionPolicy } from '../../lib/retention/retention-options.ts'
import { sessionLogoutRule } from '../../plugins/back-channel-logout/recording/retention-rule.ts'
import { toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { FakeContext } from '../contract/provider-adapter/adapter-under-test.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const DAY = 86_400_000
const DAYS_A_STEP = 3
/** Two years. */
const STEPS = 240
const POLICY = { statesMs: 6 * DAY, sessionLogoutsMs: 30 * DAY }

type Middleware = (ctx: FakeContext, next: () => Promise<unknown>) => Promise<void>

/** An OP whose requests are made of calls of its adapter. */
class Traffic {
  readonly #clock: FakeClock
  readonly #store: EventStore
  readonly op: EventSourced
  readonly retention: LogRetention
  #middleware: Middleware = async () => {}
  #n = 0

  constructor(store: EventStore, clock: FakeClock, since: number) {
    this.#clock = clock
    this.#store = store
    this.#n = since
    this.op = eventSourced(store, { clock, logger: silent, retention: false })
    this.retention = new LogRetention({
      store,
      clock,
      logger: silent,
      policy: retentionPolicy(POLICY),
      rules: [sessionLogoutRule(DAY)],
    })
    void this.op.start({
      issuer: 'https://op.example.com',
      use: (one: Middleware) => {
        this.#middleware = one
      },
      Client: { find: async () => undefined, adapter: this.op.adapter('Client') },
      Session: class {},
    } as never)
  }

  get count(): number {
    return this.#n
  }

  /** A user logs in, refreshes, and logs out or not; a stranger comes by; an operator registers a client again. */
  async day(): Promise<void> {
    const n = ++this.#n
    const now = Math.floor(this.#clock.now() / 1_000)
    const { adapter } = this.op
    const [uid, grantId] = [`uid-${n}`, `grant-${n}`]
    await this.#request(() =>
      adapter('Interaction').upsert(`stranger-${n}`, { exp: now + 3_600, kind: 'Interaction' }, 3_600),
    )
    const session = {
      jti: `jti-${n}`,
      uid,
      // One of five people, or somebody who never comes back.
      accountId: n % 2 === 0 ? `account-${n}` : `account-${n % 10}`,
      exp: now + 14 * 86_400,
      authorizations: { rp: { sid: `sid-${n}`, grantId } },
    }
    await this.#request(async () => {
      await adapter('Grant').upsert(grantId, { jti: grantId, accountId: session.accountId, exp: now + 14 * 86_400 }, 1)
      await adapter('Session').upsert(session.jti, session, 1)
      await adapter('AuthorizationCode').upsert(`code-${n}`, { jti: `code-${n}`, grantId, exp: now + 60 }, 60)
    })
    await this.#request(async () => {
      await adapter('AuthorizationCode').find(`code-${n}`)
      await adapter('AuthorizationCode').consume(`code-${n}`)
      await adapter('RefreshToken').upsert(`refresh-${n}`, { jti: `refresh-${n}`, grantId, exp: now + 14 * 86_400 }, 1)
    })
    await this.#request(async () => {
      await adapter('Client').find('rp')
      await adapter('Client').upsert('rp', { client_id: 'rp', n }, 0)
    })
    const earlier = `jti-${n - 1}`
    if (n % 2 === 0) {
      await this.#request(async () => {
        if (await adapter('Session').find(earlier)) await adapter('Session').destroy(earlier)
        for (const model of ['AccessToken', 'RefreshToken', 'AuthorizationCode'])
          await adapter(model).revokeByGrantId(`grant-${n - 1}`)
        await adapter('Grant').destroy(`grant-${n - 1}`)
      })
      const terminated = {
        type: 'session_logout.terminated',
        reason: 'rp_initiated',
        triggered_at_origin: 'https://op.example.com',
        scope: 'session',
        logins: 0,
      } as never
      await this.#store.append({ events: [toEvent(`uid-${n - 1}`, terminated, [])] })
    }
  }

  async #request(work: () => Promise<unknown>): Promise<void> {
    const ctx = new FakeContext()
    await this.#middleware(ctx, work)
    assert.equal(ctx.status, 404)
  }
}

describe('a log after two years of constant traffic, with retention and restarts', () => {
  const folder = temporaryFolder()
  const keys = ephemeralKeys()

  /** How many commits and keys of accounts are there after each step. */
  async function twoYears(
    open: (clock: FakeClock) => Promise<EventStore>,
    restartsEvery: number,
  ): Promise<{ readonly commits: number[]; readonly keys: number[] }> {
    const clock = new FakeClock()
    let store = await open(clock)
    let traffic = new Traffic(store, clock, 0)
    const sizes: { readonly commits: number[]; readonly keys: number[] } = { commits: [], keys: [] }
    for (let step = 1; step <= STEPS; step++) {
      for (let users = 0; users < 4; users++) await traffic.day()
      await clock.advance(DAYS_A_STEP * DAY)
      await traffic.retention.run()
      sizes.commits.push((await store.readAll({ after: 0, limit: 100_000 })).length)
      sizes.keys.push((await store.accountKeys.list({ limit: 100_000 })).length)
      if (step % restartsEvery !== 0) continue
      await (store as MemoryEventStore).compacted()
      await store.close()
      store = await open(clock)
      traffic = new Traffic(store, clock, traffic.count)
    }
    const found = await traffic.op.adapter('Client').find('rp')
    assert.equal(found?.['n'], traffic.count)
    const live = await traffic.op.adapter('Session').findByUid(`uid-${traffic.count}`)
    assert.equal(live?.['jti'], `jti-${traffic.count}`)
    await (store as MemoryEventStore).compacted()
    await store.close()
    return sizes
  }

  function assertLevel(sizes: { readonly commits: number[]; readonly keys: number[] }): void {
    for (const [what, counts, most] of [
      ['commits', sizes.commits, 500],
      ['keys of accounts', sizes.keys, 50],
    ] as const) {
      const largest = (from: number, to: number): number => Math.max(...counts.slice(from, to))
      const [early, late] = [largest(60, 120), largest(STEPS - 60, STEPS)]
      assert.ok(late <= early, `${early} ${what} after half a year, ${late} after two`)
      assert.ok(late < most, `${late} ${what} are left`)
    }
  }

  it('is as large as after half a year, in memory', async () => {
    let kept: MemoryEventStore | undefined
    const sizes = await twoYears(async (clock) => {
      kept ??= new MemoryEventStore({ keys, clock })
      return kept
    }, STEPS + 1)
    assertLevel(sizes)
  })

  it('is as large as after half a year on the embedded store, and so is its journal', async () => {
    const journal: number[] = []
    const sizes = await twoYears(async (clock) => {
      const store = await FileEventStore.open(folder.path, { keys, clock, logger: silent })
      journal.push((await stat(join(folder.path, 'journal.log'))).size)
      return store
    }, 20)
    assertLevel(sizes)
    assert.ok(Math.max(...journal) < 2 * 1024 * 1024, `${Math.max(...journal)} bytes`)
  })
})
