import assert from 'node:assert/strict'
import { type NewCommit, StoreUnavailableError } from '../../lib/index.ts'
import { KeptLog } from '../support/kept-log.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'

const REGISTERED = 'session_logout.back_channel.registered'
const TERMINATED = 'session_logout.terminated'

/** What a commit says: facts of the logout by their type, states by model and what became of them. */
function types({ events }: Pick<NewCommit, 'events'>): string[] {
  return events.map(({ stream, type }) => (type.includes('.') ? type : `${stream.split(':', 1)[0]}:${type}`))
}

describe('the commit of a session', () => {
  let scene: LogoutScene<'rp-one' | 'rp-two'>
  let person: Person
  let log: KeptLog

  beforeEach(async () => {
    log = new KeptLog()
    scene = await LogoutScene.start({ 'rp-one': {}, 'rp-two': {} }, { logger: log })
    person = new Person(scene.op)
  })

  afterEach(() => scene.stop())

  it('that first holds a login of an RP registers it, and no other does', async () => {
    await person.authorize('rp-one')
    await person.authorize('rp-two')
    await person.authorize('rp-one')
    const commits = await scene.commitsWith(REGISTERED)
    const registered = commits.map((commit) => {
      assert.ok(types(commit).includes('Session:stored'))
      return commit.events.filter(({ type }) => type === REGISTERED).map(({ data }) => data['client_id'])
    })
    assert.deepEqual(registered, [['rp-one'], ['rp-two']])
  })

  it('says nothing about the account that a dump would show', async () => {
    await person.authorize('rp-one', { login: 'alice@example.com' })
    await person.logout()
    await scene.receipt()
    assert.ok(!JSON.stringify(await scene.log()).includes('alice@example.com'))
  })

  it('that ends it says so', async () => {
    await person.authorize('rp-one')
    await person.logout()
    const [commit, ...more] = await scene.commitsWith(TERMINATED)
    assert.ok(commit)
    assert.deepEqual(more, [])
    assert.ok(types(commit).includes('Session:destroyed'))
    assert.ok(!types(commit).includes('Session:stored'))
    const [end] = commit.events.filter(({ type }) => type === TERMINATED)
    assert.equal(end?.data['scope'], 'session')
    assert.equal(end?.data['triggered_at_origin'], scene.op.issuer)
  })

  it('that drops a login says so, with its sid', async () => {
    await person.authorize('rp-one')
    const [registration] = (await scene.commitsWith(REGISTERED))
      .flatMap(({ events }) => events)
      .filter(({ type }) => type === REGISTERED)
    await person.confirm(await person.endSession({ client_id: 'rp-one' }), false)
    const [commit] = await scene.commitsWith(TERMINATED)
    assert.ok(commit && types(commit).includes('Session:stored'))
    const [end] = commit.events.filter(({ type }) => type === TERMINATED)
    assert.deepEqual(end?.data['scope'], [registration?.data['oidc_session_id']])
    assert.equal(end?.data['by_client'], 'rp-one')
  })

  it('that cannot be stored ends nothing: 503, the cookie is kept, nobody is told, and the user may try again', async () => {
    await person.authorize('rp-one')
    const cookie = person.agent.cookie('_session')
    const page = await person.endSession()
    const { append } = scene.store
    scene.store.append = async (commit) => {
      if (types(commit).includes(TERMINATED)) throw new StoreUnavailableError('away')
      return append.call(scene.store, commit)
    }
    const failed = await person.confirm(page)
    scene.store.append = append
    assert.equal(failed.status, 503)
    assert.equal(failed.headers.get('retry-after'), '2')
    assert.deepEqual(failed.headers.getSetCookie(), [])
    assert.ok(cookie !== undefined)
    assert.equal(person.agent.cookie('_session'), cookie)
    await scene.quiet()
    assert.deepEqual(await scene.ended(), [])
    assert.equal(scene.rps['rp-one'].tokens.length, 0)

    assert.equal((await person.confirm(page)).status, 303)
    await scene.receipt()
    assert.equal(scene.rps['rp-one'].tokens.length, 1)
  })

  it('that would register a login and cannot be stored registers nothing', async () => {
    const { append } = scene.store
    scene.store.append = async (commit) => {
      if (types(commit).includes(REGISTERED)) throw new StoreUnavailableError('away')
      return append.call(scene.store, commit)
    }
    await assert.rejects(person.authorize('rp-one'), /503/)
    scene.store.append = append
    assert.deepEqual(await scene.commitsWith(REGISTERED), [])
  })
})

describe('a client that names its initiators', () => {
  it('is told for these reasons and no others', async () => {
    const scene = await LogoutScene.start({
      all: {},
      'by-rp': { backchannel_logout_initiators: ['rp_initiated'] },
      'by-admin': { backchannel_logout_initiators: ['admin', 'account_disabled'] },
      none: { backchannel_logout_initiators: [] },
    })
    try {
      const person = new Person(scene.op)
      for (const id of Object.keys(scene.rps)) await person.authorize(id)
      await person.logout()
      const receipt = await scene.receipt()
      const told = receipt.ends[0]?.relyingParties.map(({ clientId }) => clientId)
      assert.deepEqual(told, ['all', 'by-rp'])
      assert.deepEqual(
        Object.values(scene.rps).map(({ clientId, tokens }) => [clientId, tokens.length]),
        [
          ['all', 1],
          ['by-rp', 1],
          ['by-admin', 0],
          ['none', 0],
        ],
      )
    } finally {
      await scene.stop()
    }
  })
})
