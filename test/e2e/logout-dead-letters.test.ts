import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { replay } from '../../plugins/back-channel-logout/dead-letters/replay.ts'
import type { DeadLetter } from '../../plugins/back-channel-logout/index.ts'
import { all } from '../support/logout-log.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'

const ops = { actor: 'ops@example.com' }

describe('dead letters of an OP', () => {
  let store: MemoryEventStore
  let scene: LogoutScene<'shop' | 'mail'>

  beforeEach(async () => {
    store = new MemoryEventStore()
    scene = await LogoutScene.start(
      { shop: {}, mail: {} },
      { store, issuer: 'http://op.example.com', logout: { delivery: { retryDelaysMs: [] } } },
    )
    scene.rps.shop.behave((_token, response) => void response.writeHead(410).end('never heard of them'))
    scene.rps.mail.behave((_token, response) => void response.writeHead(503).end())
  })

  afterEach(() => scene.stop())

  /** Somebody logs in at both RPs and out, and neither RP takes it. */
  async function fails(): Promise<readonly [DeadLetter, DeadLetter]> {
    const person = new Person({ issuer: `http://127.0.0.1:${scene.op.port}` })
    for (const rp of ['shop', 'mail']) await person.authorize(rp)
    assert.equal((await person.logout()).status, 303)
    await scene.quiet()
    const [shop] = await all(scene.logout.deadLetters({ client: 'shop' }))
    const [mail] = await all(scene.logout.deadLetters({ client: 'mail' }))
    assert.ok(shop && mail)
    return [shop, mail]
  }

  it('say what the RP said', async () => {
    const [shop, mail] = await fails()
    assert.deepEqual([shop.state, shop.status, shop.answer], ['rejected', 410, 'never heard of them'])
    assert.deepEqual(
      [mail.state, mail.failureReason, mail.status, mail.attempts],
      ['abandoned', 'budget_spent', 503, 1],
    )
    assert.equal(shop.sessionUid, mail.sessionUid)
    assert.equal((await all(scene.logout.deadLetters())).length, 2)
    const { ends, settled } = await scene.logout.receipt(shop.sessionUid)
    assert.equal(settled, true)
    assert.deepEqual(
      ends[0]?.relyingParties.map(({ state, status }) => [state, status]),
      [
        ['abandoned', 503],
        ['rejected', 410],
      ],
    )
  })

  it('are sent again where an operator wants it, with a token that the RP takes', async () => {
    const [shop, mail] = await fails()
    scene.rps.shop.behave((_token, response) => void response.writeHead(200).end())
    const target = { delivery: shop.delivery, sessionUid: shop.sessionUid }
    assert.deepEqual(await scene.logout.replay(target, { ...ops, dryRun: true }), { replayed: 1 })
    assert.deepEqual(await scene.logout.replay(target, ops), { replayed: 1 })
    const receipt = await scene.receiptOf(shop.sessionUid)
    assert.deepEqual(
      receipt.ends[0]?.relyingParties.map(({ clientId, state, replays }) => [clientId, state, replays]),
      [
        ['mail', 'abandoned', undefined],
        ['shop', 'confirmed', 1],
      ],
    )
    const [first = '', second = ''] = scene.rps.shop.tokens
    const claims = [first, second].map((token) =>
      JSON.parse(String(Buffer.from(token.split('.')[1] ?? '', 'base64url'))),
    )
    assert.notEqual(claims[0].jti, claims[1].jti)
    assert.equal(claims[1].sid, shop.sid)
    assert.deepEqual(await all(scene.logout.deadLetters()), [mail])
    await assert.rejects(scene.logout.replay(target, ops), { code: 'NOT_A_DEAD_LETTER', state: 'confirmed' })

    scene.rps.mail.behave((_token, response) => void response.writeHead(204).end())
    assert.deepEqual(await scene.logout.replay({ since: shop.endedAt }, ops), { replayed: 1 })
    const { ends } = await scene.receiptOf(shop.sessionUid)
    assert.ok((ends[0]?.timeToLogoutMs ?? -1) >= shop.at - shop.endedAt)
    assert.deepEqual(await all(scene.logout.deadLetters()), [])
  })

  it('die again where the RP says so again, and are one dead letter', async () => {
    const [shop] = await fails()
    assert.deepEqual(await scene.logout.replay({ client: 'shop' }, ops), { replayed: 1 })
    await scene.quiet()
    const [again, ...more] = await all(scene.logout.deadLetters({ client: 'shop' }))
    assert.deepEqual(more, [])
    assert.deepEqual([again?.delivery, again?.replays], [shop.delivery, 1])
    assert.equal(scene.rps.shop.tokens.length, 2)
  })

  it('are sent again also where the process dies between the record of it and the work', async () => {
    const [shop] = await fails()
    await scene.op.stop()
    const parts = { store, issuer: scene.op.issuer }
    assert.deepEqual(await replay(parts, { client: 'shop' }, ops), { replayed: 1 })
    assert.equal(await store.work('deliveries').countOpen(), 0)

    const again = await LogoutScene.start({ shop: {}, mail: {} }, { store, issuer: scene.op.issuer })
    try {
      const { ends } = await again.receiptOf(shop.sessionUid)
      assert.equal(ends[0]?.relyingParties.find(({ clientId }) => clientId === 'shop')?.state, 'confirmed')
      await again.quiet()
      assert.equal(again.rps.shop.tokens.length, 1)
      assert.equal(again.rps.mail.tokens.length, 0)
    } finally {
      await again.op.stop()
      await Promise.all([again.rps.shop.stop(), again.rps.mail.stop()])
    }
  })
})
