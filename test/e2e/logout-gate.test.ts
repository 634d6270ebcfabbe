import assert from 'node:assert/strict'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'

const MEMBERS = ['backchannel_logout_supported', 'backchannel_logout_session_supported']

describe('the gate of back-channel logout', () => {
  let scene: LogoutScene<'rp'>
  let person: Person
  let open: boolean

  beforeEach(async () => {
    open = true
    scene = await LogoutScene.start({ rp: {} }, { logout: { gates: { isOn: () => open } } })
    person = new Person(scene.op)
  })

  afterEach(() => scene.stop())

  async function announced(): Promise<unknown[]> {
    const response = await fetch(`${scene.op.issuer}/.well-known/openid-configuration`)
    const document = (await response.json()) as Record<string, unknown>
    assert.equal(document['issuer'], scene.op.issuer)
    return MEMBERS.map((member) => document[member])
  }

  it('decides what discovery announces, request by request', async () => {
    assert.deepEqual(await announced(), [true, true])
    open = false
    assert.deepEqual(await announced(), [undefined, undefined])
    open = true
    assert.deepEqual(await announced(), [true, true])
  })

  it('shut, lets nothing be registered or sent, and logins and logouts go on', async () => {
    open = false
    await person.authorize('rp')
    assert.equal((await person.logout()).status, 303)
    assert.equal(await scene.open(), 0)
    open = true
    await scene.quiet()
    assert.deepEqual(await scene.commitsWith('session_logout.back_channel.registered'), [])
    assert.deepEqual(await scene.ended(), [])
    assert.equal(scene.rps.rp.tokens.length, 0)
  })

  it('shut, lets the logout from one RP alone leave no trace either', async () => {
    open = false
    await person.authorize('rp')
    assert.equal((await person.confirm(await person.endSession({ client_id: 'rp' }), false)).status, 303)
    assert.deepEqual(await scene.ended(), [])
  })

  it('shut at the logout, lets what was registered before wait until it opens', async () => {
    await person.authorize('rp')
    open = false
    await person.logout()
    assert.equal(await scene.open(), 1)
    assert.equal(scene.rps.rp.tokens.length, 0)
    open = true
    await scene.rps.rp.received(1)
    assert.equal((await scene.receipt()).ends[0]?.relyingParties[0]?.state, 'confirmed')
  })

  it('opened later, registers sessions that are older at their next write', async () => {
    open = false
    await person.authorize('rp')
    open = true
    await person.authorize('rp')
    await person.logout()
    await scene.rps.rp.received(1)
  })

  it('is shut where the application says so', async () => {
    const off = await LogoutScene.start({ rp: {} }, { logout: { enabled: false } })
    try {
      const response = await fetch(`${off.op.issuer}/.well-known/openid-configuration`)
      const document = (await response.json()) as object
      assert.ok(!MEMBERS.some((member) => member in document))
      const user = new Person(off.op)
      await user.authorize('rp')
      await user.logout()
      assert.deepEqual(await off.ended(), [])
    } finally {
      await off.stop()
    }
  })
})
