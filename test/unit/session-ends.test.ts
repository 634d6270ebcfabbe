import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type EventSourced, eventSourced, type Host, type Payload, type RequestContext } from '../../lib/index.ts'
import { FakeContext } from '../contract/provider-adapter/adapter-under-test.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import { SteeredStore } from '../support/steered-store.ts'

type Middleware = (ctx: RequestContext, next: () => Promise<unknown>) => Promise<void>

/** More renewals than anybody waits for. */
const MOST = 300

describe('a session that its browser renews without a pause, with several requests in flight', () => {
  let store: SteeredStore
  let op: EventSourced
  let host: Host | undefined
  let middleware: Middleware
  let session: Payload
  let renewals: number
  let stopped: boolean
  const running = new Set<Promise<void>>()

  beforeEach(async () => {
    store = new SteeredStore(new MemoryEventStore())
    renewals = 0
    stopped = false
    op = eventSourced(store, {
      plugins: [
        {
          name: 'taker',
          start: async (given) => {
            host = given
          },
          stop: async () => {},
        },
      ],
    })
    const used: Middleware[] = []
    await op.start({
      issuer: 'https://op.example.com',
      use: (one: Middleware) => used.push(one),
      Client: { find: async () => undefined, adapter: op.adapter('Client') },
      Session: class {},
    })
    middleware = used[1] as Middleware
    const id = newId()
    session = sample('Session', id)
    await op.adapter('Session').upsert(id, session, 3_600)
    // Each renewal commits only once the next one has read the session, and stands in the line.
    store.beforeAppend = async ({ events }) => {
      if (events.some(({ type }) => type === 'stored')) await renew()
    }
  })

  afterEach(async () => {
    stopped = true
    await Promise.all(running)
    await op.stop()
    await store.close()
  })

  /** Starts a renewal. Resolves when it is about to commit. */
  async function renew(): Promise<void> {
    if (stopped || renewals >= MOST) return
    renewals += 1
    let read = (): void => {}
    const inLine = new Promise<void>((resolve) => {
      read = resolve
    })
    const request = middleware(new FakeContext(), async () => {
      const state = await op.adapter('Session').find(String(session['jti']))
      if (state) {
        await op
          .adapter('Session')
          .upsert(String(session['jti']), { ...state, exp: Number(state['exp']) + renewals }, 3_600)
      } else stopped = true
      setImmediate(read)
    })
    running.add(request.finally(() => running.delete(request)))
    await inLine
  }

  it('is ended by an operator at the first attempts', async () => {
    await renew()
    const ended = await host?.terminator.end(String(session['uid']), { cause: { reason: 'admin' }, grants: 'all' })
    assert.ok(ended)
    assert.ok(renewals < 10, `after ${renewals} renewals`)
    assert.equal(await op.adapter('Session').findByUid(String(session['uid'])), undefined)
  })

  it('is ended by its user, who is not sent round in circles', async () => {
    await renew()
    const ctx = new FakeContext()
    await middleware(ctx, async () => {
      await op.adapter('Session').find(String(session['jti']))
      await op.adapter('Session').destroy(String(session['jti']))
      ctx.status = 200
    })
    assert.equal(ctx.status, 200)
    assert.ok(renewals < 10, `after ${renewals} renewals`)
    assert.equal(await op.adapter('Session').findByUid(String(session['uid'])), undefined)
  })

  it('lives on where the end was only for one that is not renewed', async () => {
    await renew()
    const before = Number(session['exp'])
    const ended = await host?.terminator.end(String(session['uid']), {
      cause: { reason: 'expired' },
      grants: 'none',
      onlyIf: ({ payload }) => Number(payload['exp']) <= before,
    })
    assert.equal(ended, undefined)
  })

  it('belongs to an account whose grants are told as they are: their client, their expiry', async () => {
    stopped = true
    const grant = { jti: 'a grant', accountId: 'alice', clientId: 'rp', exp: 4_102_444_800 }
    await op.adapter('Grant').upsert('a grant', grant, 60)
    await op.adapter('Grant').upsert('another', { jti: 'another' }, 60)
    const [told, other] = [await host?.terminator.grant('a grant'), await host?.terminator.grant('another')]
    const { commit, ...rest } = told ?? {}
    assert.equal(typeof commit, 'string')
    assert.deepEqual(rest, { id: 'a grant', accountId: 'alice', clientId: 'rp', exp: 4_102_444_800, payload: grant })
    assert.deepEqual(Object.keys(other ?? {}).sort(), ['commit', 'id', 'payload'])
    assert.equal(await host?.terminator.grant('none'), undefined)
  })
})
