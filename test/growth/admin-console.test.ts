import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { EventStore, NewEvent } from '../../lib/index.ts'
import type { LogPage, Overview, SessionsPage } from '../../plugins/admin-console/api/contract.ts'
import { ConsoleScene } from '../support/console-scene.ts'

const AT_ONCE = 500

/** More, where it is asked for: SESSIONS=100000. */
const MANY = Number(process.env['SESSIONS'] ?? 20_000)

/** Sessions that live, as the provider writes them, each with a login at an RP. */
async function liveSessions(store: EventStore, issuer: string, count: number, client: string): Promise<void> {
  const { keys } = store
  const exp = Math.floor(Date.now() / 1_000) + 86_400
  for (let from = 0; from < count; from += AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, index) => {
        const [uid, jti, accountId] = ['uid', 'jti', 'account'].map((kind) => `${client}-${kind}-${from + index}`)
        const [stream] = keys.streams('Session', String(jti))
        const authorizations = { [client]: { sid: `sid-${uid}`, grantId: `grant-${uid}` } }
        const payload = { jti, uid, kind: 'Session', accountId, exp, loginTs: 1, authorizations } as never
        const also = [...keys.streams('account', String(accountId)), ...keys.streams('uid', String(uid))]
        const sealed = keys.seal({ payload }, stream)
        const stored: NewEvent = { stream, also, type: 'stored', data: { model: 'Session', exp, sealed } }
        const registered: NewEvent = {
          stream: `session_logout:${uid}`,
          also: [...keys.streams('account', String(accountId)), ...keys.streams('client', client)],
          type: 'session_logout.back_channel.registered',
          data: {
            client_id: client,
            oidc_session_id: `sid-${uid}`,
            user_id: keys.seal(String(accountId), `session_logout:${uid}`),
            session_required: true,
          },
        }
        return store.append({ events: [stored, registered], meta: { instance: issuer } })
      }),
    )
}

/** What is asked of a store, and how many commits it answers with. */
function counted(store: MemoryEventStore): { calls: number; commits: number } {
  const seen = { calls: 0, commits: 0 }
  for (const name of ['read', 'readStreams', 'readAll', 'latest', 'end'] as const) {
    const method = store[name].bind(store) as (...args: never[]) => Promise<unknown>
    const counting = async (...args: never[]): Promise<unknown> => {
      seen.calls += 1
      const answer = await method(...args)
      if (Array.isArray(answer)) seen.commits += answer.length
      return answer
    }
    Object.defineProperty(store, name, { value: counting })
  }
  const index = store.index.bind(store)
  store.index = (name) => {
    const table = index(name)
    return {
      ...table,
      put: table.put.bind(table),
      remove: table.remove.bind(table),
      sweep: table.sweep.bind(table),
      list: async (options) => {
        seen.calls += 1
        const found = await table.list(options)
        seen.commits += found.length
        return found
      },
    }
  }
  return seen
}

describe('the console beside many sessions', () => {
  const costs: number[] = []

  for (const many of [1_000, MANY]) {
    it(`costs a bounded number of reads for a page, with ${many} sessions`, async () => {
      const store = new MemoryEventStore()
      const scene = await ConsoleScene.start({ shop: {}, rare: {} }, { store })
      try {
        const { issuer } = scene.scene.op
        await liveSessions(store, issuer, 5, 'rare')
        await liveSessions(store, issuer, many, 'shop')
        await scene.scene.open()
        const seen = counted(store)
        const cost = async (ask: () => Promise<unknown>): Promise<{ calls: number; commits: number }> => {
          const before = { ...seen }
          await ask()
          return { calls: seen.calls - before.calls, commits: seen.commits - before.commits }
        }
        const pages: Record<string, string | undefined> = {}
        const page = async (query: Record<string, string>, found: number): Promise<void> => {
          const { body, text } = await scene.get<SessionsPage>('/sessions', query)
          assert.equal(body.items?.length, found, text.slice(0, 200))
          pages[JSON.stringify(query)] = body.next
        }
        const all = await cost(() => page({}, 50))
        assert.ok(all.calls <= 160 && all.commits <= 400, JSON.stringify(all))
        const next = await cost(() => page({ cursor: String(pages['{}']) }, 50))
        assert.ok(next.calls <= 160 && next.commits <= 400, JSON.stringify(next))
        const rare = await cost(() => page({ client: 'rare' }, 5))
        assert.ok(rare.calls <= 40, JSON.stringify(rare))
        const one = await cost(() => page({ account: `shop-account-${many - 7}` }, 1))
        assert.ok(one.calls <= 20, JSON.stringify(one))
        const log = await cost(() => scene.get<LogPage>('/log'))
        assert.ok(log.calls <= 3 && log.commits <= 60, JSON.stringify(log))
        const overview = await cost(async () => {
          const { body } = await scene.get<Overview>('/overview')
          assert.equal(body.sessions?.isExact, many < 10_000)
          assert.equal(body.sessions?.count, many < 10_000 ? many + 5 : 10_000)
        })
        assert.ok(overview.commits <= 32_000, JSON.stringify(overview))
        const again = await cost(() => scene.get<Overview>('/overview'))
        assert.ok(again.calls <= 30 && again.commits <= 30, JSON.stringify(again))
        costs.push(all.calls)
      } finally {
        await scene.stop()
      }
    })
  }

  it('costs as many reads with many times as many', () => {
    const [few, many] = costs
    assert.ok(Number(many) <= Number(few) + 2, `${few} and ${many}`)
  })
})
