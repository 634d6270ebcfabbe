import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { backChannelLogout, type Receipt } from '../../plugins/back-channel-logout/index.ts'
import { uidOfStream } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { all } from '../support/logout-log.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Client, Person } from '../support/op.ts'

describe('the history of logouts at an OP', () => {
  let scene: LogoutScene<'shop' | 'mail'>

  beforeEach(async () => {
    scene = await LogoutScene.start({ shop: {}, mail: {} })
  })

  afterEach(() => scene.stop())

  /** Somebody logs in at these RPs, and out. */
  async function visit(login: string, ...rps: ('shop' | 'mail')[]): Promise<void> {
    const person = new Person(scene.op)
    for (const rp of rps) await person.authorize(rp, { login })
    assert.equal((await person.logout()).status, 303)
  }

  function told(receipts: readonly Receipt[]): string[][] {
    return receipts.map(({ ends }) => ends.flatMap(({ relyingParties }) => relyingParties.map((rp) => rp.clientId)))
  }

  it('tells who was logged out where: of an account, of a client, of all', async () => {
    await visit('alice', 'shop', 'mail')
    await visit('bob', 'mail')
    await visit('alice', 'shop')
    await scene.quiet()
    assert.deepEqual(told(await all(scene.logout.history())), [['mail', 'shop'], ['mail'], ['shop']])
    assert.deepEqual(told(await all(scene.logout.history({ account: 'alice' }))), [['mail', 'shop'], ['shop']])
    assert.deepEqual(told(await all(scene.logout.history({ client: 'mail' }))), [['mail'], ['mail']])
    assert.deepEqual(told(await all(scene.logout.history({ account: 'bob', client: 'mail' }))), [['mail']])
    assert.deepEqual(told(await all(scene.logout.history({}, { order: 'newest', limit: 1 }))), [['shop']])
    const receipts = await all(scene.logout.history({ account: 'alice' }))
    for (const receipt of receipts) {
      assert.equal(receipt.settled, true)
      assert.deepEqual(receipt, await scene.logout.receipt(receipt.sessionUid))
    }
  })

  it('begins at a time', async () => {
    await visit('alice', 'shop')
    const [first] = await all(scene.logout.history())
    const since = (first?.ends[0]?.at ?? 0) + 1
    while (Date.now() <= since) await new Promise((resolve) => setImmediate(resolve))
    await visit('bob', 'mail')
    assert.deepEqual(told(await all(scene.logout.history({ since }))), [['mail']])
    assert.deepEqual(told(await all(scene.logout.history({ account: 'alice', since: new Date(since) }))), [])
    assert.equal((await all(scene.logout.history({ since: since - 1 }))).length, 2)
  })

  it('tells a session once that ended in two parts', async () => {
    const person = new Person(scene.op)
    const code = String((await person.authorize('shop')).get('code'))
    await person.authorize('mail')
    const { body } = await new Client(scene.op, scene.rps.shop.metadata).exchange(code)
    const hint = { id_token_hint: String(body['id_token']) }
    assert.equal((await person.confirm(await person.endSession(hint), false)).status, 303)
    await person.logout()
    await scene.quiet()
    for (const order of ['oldest', 'newest'] as const) {
      const [receipt, ...more] = await all(scene.logout.history({ account: 'alice' }, { order }))
      assert.deepEqual(more, [])
      assert.deepEqual(
        receipt?.ends.map(({ scope }) => scope),
        ['logins', 'session'],
      )
    }
    assert.deepEqual(told(await all(scene.logout.history({ client: 'shop' }))), [['shop']])
    assert.deepEqual(told(await all(scene.logout.history({ client: 'mail' }))), [['mail']])
  })

  it('shows a receipt as it changes, from the login to the last confirmation', async () => {
    const release = { shop: hold('shop'), mail: hold('mail') }
    const person = new Person(scene.op)
    await person.authorize('shop')
    await person.authorize('mail')
    const uid = await uidRegistered()
    const seen: string[] = []
    for await (const { ends, settled } of scene.logout.watch(uid)) {
      const states = ends.flatMap(({ relyingParties }) => relyingParties.map((rp) => `${rp.clientId} ${rp.state}`))
      seen.push(states.join(', '))
      if (seen.length === 1) await person.logout()
      if (states.includes('shop pending')) release.shop()
      if (states.includes('shop confirmed')) release.mail()
      assert.equal(settled, !seen.at(-1)?.includes('pending'))
    }
    assert.deepEqual(seen, [
      '',
      'mail pending, shop pending',
      'mail pending, shop confirmed',
      'mail confirmed, shop confirmed',
    ])
  })

  /** The RP answers once the returned function is called. */
  function hold(rp: 'shop' | 'mail'): () => void {
    let release = (): void => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    scene.rps[rp].behave(async (_token, response) => {
      await released
      response.writeHead(200).end()
    })
    return () => release()
  }

  async function uidRegistered(): Promise<string> {
    const [commit] = await scene.commitsWith('session_logout.back_channel.registered')
    const event = commit?.events.find(({ type }) => type === 'session_logout.back_channel.registered')
    return uidOfStream(event?.stream ?? '') ?? ''
  }
})

describe('the history of two OPs on one log', () => {
  it('is that of each', async () => {
    const store = new MemoryEventStore()
    const one = await LogoutScene.start({ rp: {} }, { store })
    const two = await LogoutScene.start({ rp: {} }, { store })
    try {
      for (const { op } of [one, two]) {
        const person = new Person(op)
        await person.authorize('rp')
        await person.logout()
      }
      for (const { logout, op } of [one, two]) {
        for (const criteria of [{}, { account: 'alice' }, { client: 'rp' }, { since: 0 }]) {
          const receipts = await all(logout.history(criteria))
          assert.deepEqual(
            receipts.map(({ ends }) => ends.map(({ origin }) => origin)),
            [[op.issuer]],
          )
        }
      }
    } finally {
      await Promise.all([one.op.stop(), two.op.stop()])
      await store.close()
      await Promise.all([one.rps.rp.stop(), two.rps.rp.stop()])
    }
  })
})

describe('back-channel logout that is not started', () => {
  it('has no history, no dead letters, and replays nothing', async () => {
    const logout = backChannelLogout()
    assert.throws(() => logout.history(), { code: 'PROVIDER_UNFIT' })
    assert.throws(() => logout.watch('uid'), { code: 'PROVIDER_UNFIT' })
    assert.throws(() => logout.deadLetters(), { code: 'PROVIDER_UNFIT' })
    await assert.rejects(logout.replay({ since: 0 }, { actor: 'ops' }), { code: 'PROVIDER_UNFIT' })
    await assert.rejects(logout.pause({ client: 'rp' }, { actor: 'ops' }), { code: 'PROVIDER_UNFIT' })
  })
})
