import assert from 'node:assert/strict'
import { OptionInvalidError } from '../../lib/index.ts'
import type { PendingDelivery } from '../../plugins/back-channel-logout/index.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'

describe('what RPs are still to be told of', () => {
  let scene: LogoutScene<'down' | 'slow' | 'well'>

  beforeEach(async () => {
    scene = await LogoutScene.start({ down: {}, slow: {}, well: {} })
    scene.rps.down.behave((token, response) => void response.writeHead(503).end(`cannot read ${token}`))
  })

  afterEach(() => scene.stop())

  async function logOut(...clients: readonly string[]): Promise<void> {
    const person = new Person(scene.op)
    for (const client of clients) await person.authorize(client)
    await person.logout()
  }

  async function pending(...args: Parameters<typeof scene.logout.pending>): Promise<PendingDelivery[]> {
    const found: PendingDelivery[] = []
    for await (const delivery of scene.logout.pending(...args)) found.push(delivery)
    return found
  }

  /** Resolves when so many deliveries are pending after a failure, and nothing else is. */
  async function failed(count: number): Promise<PendingDelivery[]> {
    for (;;) {
      const all = await pending()
      if (all.length === count && all.every(({ attempts, inHand }) => attempts > 0 && !inHand)) return all
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  it('is listed with how it stands, and what the RP said', async () => {
    await logOut('down', 'well')
    const [delivery, ...more] = await failed(1)
    assert.ok(delivery && more.length === 0)
    const [uid] = await scene.ended()
    const { delivery: name, endedAt, dueAt, expiresAt, sid, ...rest } = delivery
    assert.deepEqual(rest, {
      sessionUid: uid,
      clientId: 'down',
      reason: 'rp_initiated',
      attempts: 1,
      inHand: false,
      status: 503,
      answer: 'cannot read [token]',
      replays: 0,
    })
    assert.match(name, /^\d+\/\d+\.\d+$/)
    assert.ok(dueAt > endedAt)
    assert.ok(Math.abs(Number(expiresAt) - endedAt - 48 * 3_600_000) < 60_000)
    const entry = (await scene.logout.receipt(String(uid))).ends[0]?.relyingParties.find(
      ({ clientId }) => clientId === 'down',
    )
    assert.deepEqual([entry?.sid, entry?.delivery], [sid, name])
  })

  it('is listed and counted by client, and bounded where that is asked for', async () => {
    scene.rps.slow.behave((_token, response) => void response.writeHead(500).end())
    for (const clients of [['down'], ['down', 'slow'], ['down', 'well']]) await logOut(...clients)
    await failed(4)
    const endedAt = async (client: string): Promise<number> =>
      Math.min(...(await pending({ client })).map((one) => one.endedAt))
    const down = { clientId: 'down', pending: 3, oldestEndedAt: await endedAt('down') }
    const slow = { clientId: 'slow', pending: 1, oldestEndedAt: await endedAt('slow') }
    assert.deepEqual(await scene.logout.pendingByClient(), [down, slow])
    assert.deepEqual(await scene.logout.pendingByClient({ limit: 1 }), [down])
    assert.deepEqual(await scene.logout.pendingByClient({ clients: ['slow', 'well'] }), [slow])
    assert.equal((await pending({ client: 'down' })).length, 3)
    assert.equal((await pending({ client: 'down' }, { limit: 2 })).length, 2)
    assert.deepEqual(await pending({ client: 'well' }), [])
    assert.deepEqual(await pending({ client: 'dow' }), [])
  })

  it('is tried at once where an operator wants it', async () => {
    await logOut('down')
    await failed(1)
    scene.rps.down.behave((_token, response) => void response.writeHead(200).end())
    assert.deepEqual(await scene.logout.retry({ client: 'down' }), { hastened: 1 })
    assert.equal((await scene.receipt()).ends[0]?.relyingParties[0]?.attempts, 2)
    assert.deepEqual(await scene.logout.retry({ client: 'down' }), { hastened: 0 })
  })

  it('is tried at once with its progress, unless the signal has aborted', async () => {
    await logOut('down')
    await failed(1)
    const signal = AbortSignal.abort()
    assert.deepEqual(await scene.logout.retry({ client: 'down' }, { signal }), { hastened: 0 })
    const told: object[] = []
    const onProgress = (soFar: object): void => void told.push(soFar)
    assert.deepEqual(await scene.logout.retry({ client: 'down' }, { onProgress }), { hastened: 1 })
    assert.deepEqual(told, [{ hastened: 1 }])
  })

  it('waits while its RP is paused, across a restart, and goes on when it is resumed', async () => {
    await scene.logout.pause({ client: 'well' }, { actor: 'ann' })
    await logOut('well', 'slow')
    await scene.rps.slow.received(1)
    const [paused] = await scene.logout.paused()
    assert.deepEqual([paused?.clientId, paused?.actor], ['well', 'ann'])
    await scene.logout.pause({ client: 'another' }, { actor: 'ann' })
    assert.deepEqual(
      (await scene.logout.paused()).map(({ clientId }) => clientId),
      ['another', 'well'],
    )
    await scene.logout.resume({ client: 'another' }, { actor: 'ann' })
    const { eventSourced, provider } = scene.op
    await eventSourced.stop()
    await eventSourced.start(provider)
    assert.equal((await scene.logout.paused()).length, 1)
    await scene.logout.retry({ client: 'well' })
    await logOut('slow')
    await scene.rps.slow.received(2)
    assert.deepEqual(scene.rps.well.tokens, [])
    await scene.logout.resume({ client: 'well' }, { actor: 'bob' })
    await scene.rps.well.received(1)
    assert.deepEqual(await scene.logout.paused(), [])
    const streams = (await scene.log()).flatMap(({ events }) => events)
    assert.deepEqual(
      streams
        .filter(({ stream }) => stream === `delivery_pause:instance:${scene.op.issuer}`)
        .map(({ type, data }) => [type, data['client_id'], data['actor']]),
      [
        ['delivery_pause.paused', 'well', 'ann'],
        ['delivery_pause.paused', 'another', 'ann'],
        ['delivery_pause.resumed', 'another', 'ann'],
        ['delivery_pause.resumed', 'well', 'bob'],
      ],
    )
  })

  it('refuses what makes no sense, by name', async () => {
    const { logout } = scene
    const refused = (option: string) => (error: unknown) =>
      error instanceof OptionInvalidError && error.option === option
    assert.throws(() => logout.pending({ client: '' }), refused('client'))
    assert.throws(() => logout.pending({ rp: 'x' } as never), refused('rp'))
    assert.throws(() => logout.pending({}, { limit: 0 }), refused('limit'))
    await assert.rejects(logout.pendingByClient({ limit: 0.5 }), refused('limit'))
    await assert.rejects(logout.receipt('' as never), refused('sessionUid'))
    await assert.rejects(logout.receipt(undefined as never), refused('sessionUid'))
    await assert.rejects(logout.retry({} as never), refused('client'))
    await assert.rejects(logout.retry({ client: 'a', all: true } as never), refused('all'))
    await assert.rejects(logout.retry({ client: 'a' }, { onProgress: 1 } as never), refused('onProgress'))
    await assert.rejects(logout.retry({ client: 'a' }, { signal: 1 } as never), refused('signal'))
    await assert.rejects(logout.retry({ client: 'a' }, { actor: 'ann' } as never), refused('actor'))
    for (const client of ['', 'a\ud800', 'x'.repeat(1_025)])
      await assert.rejects(logout.pause({ client }, { actor: 'ann' }), refused('client'))
    await assert.rejects(logout.pause({ client: 'a' }, {} as never), refused('actor'))
    await assert.rejects(logout.pause({ client: 'a', clients: ['b'] } as never, { actor: 'ann' }), refused('clients'))
    await assert.rejects(logout.resume({ client: 'a' }, { actor: ' ' }), refused('actor'))
    await assert.rejects(logout.resume({ client: 'a' }, { actor: 'ann', why: 'x' } as never), refused('why'))
  })
})
