import assert from 'node:assert/strict'
import { LogoutScene } from '../support/logout-scene.ts'
import { Client, Person, testClient } from '../support/op.ts'

describe('a logout at an OP with two RPs', () => {
  let scene: LogoutScene<'rp-one' | 'rp-two'>

  beforeEach(async () => {
    scene = await LogoutScene.start({ 'rp-one': {}, 'rp-two': {} }, { others: [testClient('rp-silent')] })
  })

  afterEach(() => scene.stop())

  it('tells both, with tokens that verify', async () => {
    const person = new Person(scene.op)
    await person.authorize('rp-one')
    await person.authorize('rp-two')
    const answer = await person.logout()
    assert.equal(answer.status, 303)
    for (const rp of [scene.rps['rp-one'], scene.rps['rp-two']]) {
      const [token = ''] = await rp.received(1)
      const { sub, sid } = await rp.verify(token, scene.op.issuer)
      assert.equal(sub, 'alice')
      assert.equal(typeof sid, 'string')
    }
    const { ends, settled } = await scene.receipt()
    assert.equal(settled, true)
    assert.deepEqual(
      ends.map(({ reason, scope, origin, relyingParties }) => ({
        reason,
        scope,
        origin,
        rps: relyingParties.map(({ clientId, state, status }) => [clientId, state, status]),
      })),
      [
        {
          reason: 'rp_initiated',
          scope: 'session',
          origin: scene.op.issuer,
          rps: [
            ['rp-one', 'confirmed', 200],
            ['rp-two', 'confirmed', 200],
          ],
        },
      ],
    )
    assert.ok(ends[0]?.timeToLogoutMs !== undefined)
  })

  it('tells the one RP alone that asked, when the user declines more; the other one at the end of the session', async () => {
    const person = new Person(scene.op)
    const { 'rp-one': one, 'rp-two': two } = scene.rps
    const code = (await person.authorize('rp-one')).get('code')
    await person.authorize('rp-two')
    const { body } = await new Client(scene.op, one.metadata).exchange(String(code))
    const hint = { id_token_hint: String(body['id_token']) }
    assert.equal((await person.confirm(await person.endSession(hint), false)).status, 303)
    await scene.quiet()
    assert.equal(one.tokens.length, 1)
    assert.equal(two.tokens.length, 0)

    // The session lives on: no login is asked for.
    const again = await person.agent.get(person.authorizationUrl('rp-two', { prompt: 'none' }))
    assert.ok(new URL(String(again.headers.get('location'))).searchParams.has('code'))

    await person.logout()
    await two.received(1)
    const { ends } = await scene.receipt()
    assert.deepEqual(
      ends.map(({ scope, initiatingClient, relyingParties }) => [
        scope,
        initiatingClient,
        relyingParties.map(({ clientId }) => clientId),
      ]),
      [
        ['logins', 'rp-one', ['rp-one']],
        ['session', undefined, ['rp-two']],
      ],
    )
    assert.equal(one.tokens.length, 1)
  })

  it('tells an RP of both its logins, when the user came back after logging out of it alone', async () => {
    const person = new Person(scene.op)
    const one = scene.rps['rp-one']
    await person.authorize('rp-one')
    await person.confirm(await person.endSession({ client_id: 'rp-one' }), false)
    await person.authorize('rp-one')
    await person.logout()
    const tokens = await one.received(2)
    const sids = await Promise.all(tokens.map(async (token) => (await one.verify(token, scene.op.issuer)).sid))
    assert.equal(new Set(sids).size, 2)
  })

  it('tells of a session that the application ends outside of requests', async () => {
    const person = new Person(scene.op)
    await person.authorize('rp-one')
    const cookie = String(person.agent.cookie('_session'))
    const session = await scene.op.provider.Session.find(cookie)
    await session?.destroy()
    await scene.rps['rp-one'].received(1)
    assert.equal((await scene.receipt()).ends[0]?.reason, 'session_destroyed')
  })

  it('tells nobody of the logout of somebody who was not logged in', async () => {
    await new Person(scene.op).endSession()
    await scene.quiet()
    assert.deepEqual(await scene.ended(), [])
  })

  it('tells nobody where the client has no URI', async () => {
    const person = new Person(scene.op)
    await person.authorize('rp-silent')
    await person.logout()
    await scene.quiet()
    assert.deepEqual(
      (await scene.receipt()).ends.map(({ relyingParties }) => relyingParties),
      [[]],
    )
    assert.equal((await scene.commitsWith('session_logout.back_channel.registered')).length, 1)
  })
})
