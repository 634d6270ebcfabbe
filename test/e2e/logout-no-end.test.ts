import assert from 'node:assert/strict'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'

describe('what is no end of a session', () => {
  let scene: LogoutScene<'rp-one' | 'rp-two'>
  let person: Person

  beforeEach(async () => {
    scene = await LogoutScene.start({ 'rp-one': {}, 'rp-two': {} })
    person = new Person(scene.op)
    await person.authorize('rp-one')
  })

  afterEach(() => scene.stop())

  async function nobodyIsTold(): Promise<void> {
    await scene.quiet()
    assert.deepEqual(await scene.ended(), [])
    assert.equal(scene.rps['rp-one'].tokens.length + scene.rps['rp-two'].tokens.length, 0)
  }

  /** What shows that it did live on: its end is told, of one session, to both. */
  async function itsEndIsTold(): Promise<void> {
    await person.authorize('rp-two')
    await person.logout()
    await scene.receipt()
    assert.equal(scene.rps['rp-one'].tokens.length, 1)
    assert.equal(scene.rps['rp-two'].tokens.length, 1)
  }

  it('a login at another RP, which gives the session a new cookie', async () => {
    const before = person.agent.cookie('_session')
    await person.authorize('rp-two')
    assert.notEqual(person.agent.cookie('_session'), before)
    await nobodyIsTold()
    await itsEndIsTold()
  })

  it('another login of the same account', async () => {
    const before = person.agent.cookie('_session')
    await person.authorize('rp-one', { prompt: 'login' })
    assert.notEqual(person.agent.cookie('_session'), before)
    await nobodyIsTold()
    await itsEndIsTold()
  })

  it('a question whether to log out that is never answered', async () => {
    await person.endSession({ client_id: 'rp-one' })
    await nobodyIsTold()
    await itsEndIsTold()
  })

  it('an authorization that was started and not finished: that RP was given nothing, and is told nothing at the end', async () => {
    const answer = await person.agent.get(person.authorizationUrl('rp-two', { prompt: 'consent' }))
    assert.equal(answer.status, 303)
    await nobodyIsTold()
    await person.logout()
    await scene.receipt()
    assert.equal(scene.rps['rp-one'].tokens.length, 1)
    assert.equal(scene.rps['rp-two'].tokens.length, 0)
  })

  it('a second visit of the RP: the login is registered once', async () => {
    await person.authorize('rp-one')
    await person.authorize('rp-one')
    const registrations = await scene.commitsWith('session_logout.back_channel.registered')
    assert.equal(registrations.length, 1)
    await nobodyIsTold()
  })
})
