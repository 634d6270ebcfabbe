import assert from 'node:assert/strict'
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import type { DeliveryOptions, Reason } from '../../plugins/back-channel-logout/index.ts'
import type { ForeignRp } from './foreign-rp.ts'
import { InteropScene, OTHER, type Visitor } from './interop-scene.ts'
import { WAYS_TO_END } from './ways-to-end.ts'

/** What is expected of an RP that knows back-channel logout, whoever wrote it. */
export function relyingPartyContract(makeRp: () => Promise<ForeignRp>): void {
  describe('told at once', () => {
    const scene = interopScene(makeRp)
    endsOfSessions(scene)
    refusals(scene)
  })
  describe('told late', () => loginsInTheMeantime(interopScene(makeRp, true)))
}

function endsOfSessions(scene: () => InteropScene): void {
  for (const [index, { how, reason, scope, reach = 'session', end }] of WAYS_TO_END.entries()) {
    it(`refuses a session that ended ${how}`, async () => {
      // Accounts of their own: what is sent about one test's sessions says nothing about another's.
      const visitor = scene().visitor(`alice-${index}`)
      const elsewhere = scene().visitor(visitor.login)
      const stranger = scene().visitor(`carol-${index}`)
      for (const each of [visitor, elsewhere, stranger]) {
        await each.logIn()
        await each.atOp.authorize(OTHER, { login: each.login })
        await each.isKnown()
      }
      const { uid } = await visitor.session()
      const sameAccount = { visitor: elsewhere, uid: (await elsewhere.session()).uid, ended: reach !== 'session' }
      const another = { visitor: stranger, uid: (await stranger.session()).uid, ended: reach === 'everybody' }
      const before = visitor.shadow()
      await end(visitor, scene())

      await isConfirmed(scene(), uid, { reason, scope })
      await before.isRefused()
      for (const each of [sameAccount, another]) {
        if (each.ended) await isConfirmed(scene(), each.uid, { reason, scope })
        await (each.ended ? each.visitor.isRefused() : each.visitor.isKnown())
      }
      if (scope === 'logins') await hasSession(visitor, scene().op.issuer)
    })
  }
}

/** This end was told to the RP alone, which confirmed it as it does. */
async function isConfirmed(
  scene: InteropScene,
  uid: string,
  expected: { readonly reason: Reason; readonly scope: 'session' | 'logins' },
): Promise<void> {
  const { ends } = await scene.receipt(uid)
  assert.deepEqual(
    ends.map(({ reason, scope, relyingParties }) => ({
      reason,
      scope,
      told: relyingParties.map(({ clientId, state, status }) => [clientId, state, status]),
    })),
    [{ ...expected, told: [[scene.rp.clientId, 'confirmed', scene.rp.confirms]] }],
  )
}

/** The session itself lives on: the other client gets its code without anybody being asked. */
async function hasSession({ atOp }: Visitor, issuer: string): Promise<void> {
  const answer = await atOp.agent.get(atOp.authorizationUrl(OTHER, { prompt: 'none' }))
  const location = new URL(String(answer.headers.get('location')), issuer)
  assert.ok(location.searchParams.has('code'), location.href)
}

function loginsInTheMeantime(scene: () => InteropScene): void {
  it('keeps the login of another browser that was made before a retry arrived', async () => {
    const visitor = scene().visitor()
    await visitor.logIn()
    const { uid } = await visitor.session()
    const before = visitor.shadow()
    const retry = await failOnceAndHold(scene(), () => visitor.atOp.logout({ client_id: OTHER }))
    await before.isKnown()
    const elsewhere = scene().visitor()
    await elsewhere.logIn()
    retry.release()

    assert.deepEqual(await attempts(scene(), uid), [['confirmed', 2]])
    await before.isRefused()
    await elsewhere.isKnown()
  })

  it('keeps the login of the same browser, which had logged out here, that was made before a retry arrived', async () => {
    const visitor = scene().visitor()
    await visitor.logIn()
    const { uid } = await visitor.session()
    const before = visitor.shadow()
    const retry = await failOnceAndHold(scene(), () => visitor.logOutHere())
    await visitor.isRefused()
    await visitor.logIn()
    retry.release()

    assert.deepEqual(await attempts(scene(), uid), [['confirmed', 2]])
    await before.isRefused()
    await visitor.isKnown()
  })
}

/** What an RP answers to what is no logout token of its OP: an error that an OP tells from a confirmation. */
function refusals(scene: () => InteropScene): void {
  const tokens: Readonly<Record<string, () => string | Promise<string>>> = {
    nothing: () => '',
    'no token': () => 'x',
    'an unsigned token': () => new UnsecuredJWT(CLAIMS).setIssuer(scene().op.issuer).encode(),
    'a token that another key has signed': () => signedByAnother(scene(), 'test'),
    'a token of a key that nobody knows': () => signedByAnother(scene(), 'unknown'),
  }
  for (const [what, make] of Object.entries(tokens)) {
    it(`answers 400 to ${what}`, async () => {
      const { port, backChannelPath } = scene().rp
      const body = new URLSearchParams({ logout_token: await make() })
      const answer = await fetch(`http://127.0.0.1:${port}${backChannelPath}`, { method: 'POST', body })
      await answer.arrayBuffer()
      assert.equal(answer.status, 400)
    })
  }
}

const CLAIMS = { sub: 'alice', events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }

/** A logout token as it should be, but for its key. */
async function signedByAnother({ op, rp }: InteropScene, kid: string): Promise<string> {
  const { privateKey } = await generateKeyPair('RS256')
  return new SignJWT({ ...CLAIMS, jti: kid })
    .setProtectedHeader({ alg: 'RS256', typ: 'logout+jwt', kid })
    .setIssuer(op.issuer)
    .setAudience(rp.clientId)
    .setIssuedAt()
    .setExpirationTime('2 minutes')
    .sign(privateKey)
}

/** Somebody logs in at the RP over a session that it still holds; then the late retry for the old one arrives. */
export async function loginBeforeRetry(scene: InteropScene): Promise<Visitor> {
  const visitor = scene.visitor()
  await visitor.logIn()
  const { uid } = await visitor.session()
  const retry = await failOnceAndHold(scene, () => visitor.atOp.logout({ client_id: OTHER }))
  await visitor.logInAgain()
  await visitor.isKnown()
  retry.release()
  assert.deepEqual(await attempts(scene, uid), [['confirmed', 2]])
  return visitor
}

/**
 * Ends a session so that the RP cannot be told at the first attempt. Resolves when the second one is on its way, held
 * back until it is released.
 */
export async function failOnceAndHold(
  { proxy }: InteropScene,
  end: () => Promise<unknown>,
): Promise<{ release(): void }> {
  assert.ok(proxy)
  void proxy.answerNext(503)
  const retry = proxy.holdNext()
  await end()
  await retry.arrived
  return retry
}

/** What became of the RPs that were to be told of this session's end, and at which attempt. */
export async function attempts(scene: InteropScene, uid: string): Promise<(readonly [string, number])[]> {
  const { ends } = await scene.receipt(uid)
  return ends.flatMap(({ relyingParties }) => relyingParties.map((entry) => [entry.state, entry.attempts] as const))
}

/** Registers hooks that start a scene before these tests and stop it after them. */
export function interopScene(
  makeRp: () => Promise<ForeignRp>,
  proxied: boolean = false,
  delivery: DeliveryOptions = {},
): () => InteropScene {
  let scene: InteropScene | undefined
  before('start an OP and the RP', async () => {
    scene = await InteropScene.start(await makeRp(), proxied, delivery)
  })
  after('stop both', () => scene?.stop())
  return () => {
    assert.ok(scene)
    return scene
  }
}
