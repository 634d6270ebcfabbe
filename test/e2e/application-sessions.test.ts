import assert from 'node:assert/strict'
import type { Configuration } from 'oidc-provider'
import { uidOfStream } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person, startOp } from '../support/op.ts'

/** What application code does with a session, outside requests. */
interface AppSession {
  amr?: string[]
  readonly authorizations?: Readonly<Record<string, unknown>>
  save(ttlSeconds: number): Promise<string>
  destroy(): Promise<void>
}

/** Consent is not the matter here, and giving it would rotate the cookie. */
const consented: NonNullable<Configuration['loadExistingGrant']> = async ({ oidc }) => {
  const grant = new oidc.provider.Grant({ accountId: oidc.account?.accountId, clientId: oidc.client?.clientId })
  grant.addOIDCScope('openid')
  await grant.save()
  return grant
}

describe('application code that works on a session outside requests', () => {
  let scene: LogoutScene<'a' | 'b'>
  let person: Person

  beforeEach(async () => {
    scene = await LogoutScene.start({ a: {}, b: {} }, { configuration: { loadExistingGrant: consented } })
    person = new Person(scene.op)
    await person.authorize('a')
  })
  afterEach(() => scene.stop())

  async function find(): Promise<AppSession | undefined> {
    const { Session } = scene.op.provider as unknown as {
      Session: { findByUid(uid: string): Promise<AppSession | undefined> }
    }
    const streams = (await scene.log()).flatMap(({ events }) => events.map(({ stream }) => stream))
    return Session.findByUid(streams.map(uidOfStream).find((uid) => uid !== undefined) ?? '')
  }

  async function found(): Promise<AppSession> {
    const session = await find()
    assert.ok(session)
    return session
  }

  it('does not undo what the user did since it read the session', async () => {
    const session = await found()
    await person.authorize('b')
    session.amr = ['otp']
    await session.save(3_600)
    const now = await found()
    assert.deepEqual(Object.keys(now.authorizations ?? {}).sort(), ['a', 'b'])
    assert.deepEqual(now.amr, ['otp'])
    assert.deepEqual(await terminations(), [])
  })

  it('can save again what it has saved', async () => {
    const session = await found()
    for (const amr of [['pwd'], ['pwd', 'otp']]) {
      session.amr = amr
      await session.save(3_600)
    }
    assert.deepEqual((await found()).amr, ['pwd', 'otp'])
  })

  it('is told to read again where the cookie has rotated since', async () => {
    const session = await found()
    await person.authorize('b', { prompt: 'login' })
    session.amr = ['otp']
    await assert.rejects(session.save(3_600), { code: 'SESSION_CHANGED' })
    assert.deepEqual(Object.keys((await found()).authorizations ?? {}).sort(), ['a', 'b'])
    assert.deepEqual(await terminations(), [])
  })

  it('ends a session whose cookie has rotated since', async () => {
    const session = await found()
    await person.authorize('b', { prompt: 'login' })
    await session.destroy()
    assert.equal(await find(), undefined)
    assert.deepEqual(await terminations(), ['session_destroyed'])
    await Promise.all([scene.rps.a.received(1), scene.rps.b.received(1)])
  })

  it('saves what it was given in another process, and takes no login away', async () => {
    const [id, uid] = [newId(), newId()]
    const stored = sample('Session', id, { uid, authorizations: { a: { sid: 'a' }, b: { sid: 'b' } } })
    await scene.op.eventSourced.adapter('Session').upsert(id, stored, 3_600)
    const other = await startOp(scene.store, { issuer: scene.op.issuer })
    try {
      const given = { ...stored, amr: ['otp'], acr: 'high', authorizations: { b: { sid: 'b' }, c: { sid: 'c' } } }
      await other.eventSourced.adapter('Session').upsert(id, given, 3_600)
      const authorizations = { a: { sid: 'a' }, b: { sid: 'b' }, c: { sid: 'c' } }
      const found = await other.eventSourced.adapter('Session').findByUid(uid)
      assert.deepEqual(found, { ...given, authorizations })
    } finally {
      await other.stop()
    }
  })

  it('cannot bring a session back that has ended', async () => {
    const session = await found()
    await person.logout()
    await session.save(3_600)
    assert.equal(await find(), undefined)
  })

  async function terminations(): Promise<unknown[]> {
    return (await scene.log())
      .flatMap(({ events }) => events)
      .filter(({ type }) => type === 'session_logout.terminated')
      .map(({ data }) => data['reason'])
  }
})
