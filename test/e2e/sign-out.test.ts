import assert from 'node:assert/strict'
import type { Reason } from '../../plugins/back-channel-logout/index.ts'
import { enterUserCode } from '../support/device-user.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Client, Person } from '../support/op.ts'
import type { Answer } from '../support/user-agent.ts'

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'
const ACTOR = { actor: 'user service' }

describe('a login that was typed in before its account was signed out, and is resumed after', () => {
  let scene: LogoutScene<'rp'>

  beforeEach(async () => {
    const features = { deviceFlow: { enabled: true } }
    scene = await LogoutScene.start(
      { rp: { grant_types: ['authorization_code', 'refresh_token', DEVICE_CODE] } },
      { configuration: { features } },
    )
  })
  afterEach(() => scene.stop())

  /** The password was right, the result is stored; the browser has not gone on. */
  async function typedIn(person: Person): Promise<Answer> {
    const page = await person.agent.follow(await person.agent.get(person.authorizationUrl('rp')))
    return person.submit(page, 'alice')
  }

  async function isAskedAgain(person: Person, submitted: Answer): Promise<boolean> {
    const page = await person.agent.follow(submitted, (url) => url.startsWith(scene.op.issuer))
    return page.text.includes('name="prompt" value="login"')
  }

  async function liveSessions(): Promise<number> {
    let live = 0
    for await (const _ of scene.logout.sessions({ account: 'alice' })) live += 1
    return live
  }

  for (const reason of [
    'admin',
    'account_disabled',
    'account_deleted',
    'password_changed',
    'signed_out_everywhere',
  ] as const satisfies Reason[]) {
    it(`is asked for again (${reason})`, async () => {
      const person = new Person(scene.op)
      const submitted = await typedIn(person)
      await scene.logout.terminateAccount('alice', { ...ACTOR, reason })
      assert.equal(await isAskedAgain(person, submitted), true)
      assert.equal(await liveSessions(), 0)
    })
  }

  it('is asked for again though its interaction was saved often since', async () => {
    const person = new Person(scene.op)
    const submitted = await typedIn(person)
    await scene.logout.terminateAccount('alice', { ...ACTOR, reason: 'password_changed' })
    const uid = new URL(String(submitted.headers.get('location')), scene.op.issuer).pathname.split('/').at(-1) ?? ''
    for (let n = 0; n < 40; n++) await (await scene.op.provider.Interaction.find(uid))?.persist()
    assert.equal(await isAskedAgain(person, submitted), true)
  })

  it('is asked for again though its form was submitted twice, and the second one stored its result after', async () => {
    const person = new Person(scene.op)
    const page = await person.agent.follow(await person.agent.get(person.authorizationUrl('rp')))
    const first = new Person(scene.op, person.agent.clone())
    await first.finish(await first.submit(page, 'alice'))
    await scene.logout.terminateAccount('alice', { ...ACTOR, reason: 'password_changed' })
    // The application checked the old password before, and took its time.
    const submitted = await person.submit(page, 'alice')
    assert.equal(await isAskedAgain(person, submitted), true)
    assert.equal(await liveSessions(), 0)
  })

  it('is asked for again where it was typed in for a device', async () => {
    const { body } = await new Client(scene.op, scene.rps.rp.metadata).startDevice()
    const person = new Person(scene.op)
    const submitted = await person.submit(await enterUserCode(person, scene.op, String(body['user_code'])), 'alice')
    await scene.logout.terminateAccount('alice', { ...ACTOR, reason: 'password_changed' })
    assert.equal(await isAskedAgain(person, submitted), true)
    assert.equal(await liveSessions(), 0)
  })

  it('is asked for again when everybody was signed out', async () => {
    const person = new Person(scene.op)
    const submitted = await typedIn(person)
    await scene.logout.terminateAll({ ...ACTOR, reason: 'signed_out_everywhere' })
    assert.equal(await isAskedAgain(person, submitted), true)
  })

  it('goes on when somebody else was signed out, or the login began after', async () => {
    await scene.logout.terminateAccount('alice', { ...ACTOR, reason: 'password_changed' })
    const person = new Person(scene.op)
    const submitted = await typedIn(person)
    await scene.logout.terminateAccount('bob', { ...ACTOR, reason: 'password_changed' })
    const code = (await person.finish(submitted)).get('code') ?? ''
    const tokens = await new Client(scene.op, scene.rps.rp.metadata).exchange(code)
    assert.equal(tokens.status, 200)
    assert.equal(await liveSessions(), 1)
  })

  it('is asked for again where the sign-out came between the look and the commit: its session ends before the answer', async () => {
    const person = new Person(scene.op)
    const submitted = await typedIn(person)
    const { append } = scene.store
    let signedOut: Promise<unknown> | undefined
    scene.store.append = async (commit) => {
      const isLogin = commit.events.some(({ stream, type }) => stream.startsWith('Session:') && type === 'stored')
      if (isLogin && !signedOut) {
        // Recorded, and carried out, before the session is there to be found.
        signedOut = scene.logout.terminateAccount('alice', { ...ACTOR, reason: 'password_changed' })
        await signedOut
      }
      return append.call(scene.store, commit)
    }
    const answer = await person.agent.get(new URL(submitted.headers.get('location') ?? '', scene.op.issuer).href)
    assert.ok(signedOut)
    assert.equal(answer.status, 303)
    assert.deepEqual(answer.headers.getSetCookie(), [])
    assert.equal(await liveSessions(), 0)
    const again = await person.authorize('rp')
    assert.ok(again.get('code'))
    assert.equal(await liveSessions(), 1)
  })
})
