import assert from 'node:assert/strict'
import { switchAccount } from '../support/account-switch.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'

describe('another account that logs in in the same browser', () => {
  let scene: LogoutScene<'rp-one' | 'rp-two'>

  beforeEach(async () => {
    const initiators = ['account_switched']
    scene = await LogoutScene.start({ 'rp-one': {}, 'rp-two': { backchannel_logout_initiators: initiators } })
  })

  afterEach(() => scene.stop())

  it('ends the session of the account before, and its own goes on', async () => {
    const person = new Person(scene.op)
    const { 'rp-one': one, 'rp-two': two } = scene.rps
    await person.authorize('rp-one')
    await person.authorize('rp-two')
    const location = await switchAccount(person.agent, person.authorizationUrl('rp-one', { prompt: 'login' }), 'bob')
    assert.ok(new URL(location).searchParams.has('code'))

    const receipt = await scene.receipt()
    assert.deepEqual(
      receipt.ends.map(({ reason, scope, relyingParties }) => [reason, scope, relyingParties.length]),
      [['account_switched', 'session', 2]],
    )
    for (const rp of [one, two]) assert.equal((await rp.verify(String(rp.tokens[0]), scene.op.issuer)).sub, 'alice')

    await person.logout()
    const [, second = ''] = await scene.ended()
    await scene.receiptOf(second)
    assert.equal((await one.verify(String(one.tokens[1]), scene.op.issuer)).sub, 'bob')
    assert.equal(two.tokens.length, 1)
  })

  it('is known as such where the OP is reached by another host than its issuer names', async () => {
    const elsewhere = await LogoutScene.start({ rp: {} }, { issuer: 'http://op.example.com' })
    try {
      const person = new Person({ issuer: `http://127.0.0.1:${elsewhere.op.port}` })
      await person.authorize('rp')
      await switchAccount(person.agent, person.authorizationUrl('rp', { prompt: 'login' }), 'bob')
      const [end] = (await elsewhere.receipt()).ends
      assert.equal(end?.reason, 'account_switched')
      assert.equal(end?.origin, 'http://op.example.com')
    } finally {
      await elsewhere.stop()
    }
  })
})
