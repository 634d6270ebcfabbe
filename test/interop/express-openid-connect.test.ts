import assert from 'node:assert/strict'
import { promisify } from 'node:util'
import { expressRp, type TakesLogouts } from './express-rp.ts'
import { type InteropScene, OTHER, type Visitor } from './interop-scene.ts'
import { attempts, interopScene, loginBeforeRetry, relyingPartyContract } from './relying-party-contract.ts'

const DAY_MS = 86_400_000

/** Notes the sid alone, where the token has one: as docs/guides/back-channel-logout.md tells RPs to do. */
const bySid: TakesLogouts = (store) => ({
  async onLogoutToken(token) {
    const { iss, sid, sub } = token as { readonly iss: string; readonly sid?: string; readonly sub: string }
    const cookie = { expires: new Date(Date.now() + DAY_MS), originalMaxAge: DAY_MS }
    await promisify(store.set).call(store, `${iss}|${sid ?? sub}`, { cookie })
  },
})

describe('Express with express-openid-connect', () => {
  describe('that goes by the sid', () => {
    const makeRp = () => expressRp(bySid)
    relyingPartyContract(makeRp)

    describe('with a login over a session that it still holds', () => {
      const scene = interopScene(makeRp, true)

      it('keeps that login at a late retry', async () => {
        await (await loginBeforeRetry(scene())).isKnown()
      })
    })
  })

  describe('as it comes', () => {
    const scene = interopScene(() => expressRp(() => true))

    it('ends all sessions of the user when it is told of one, since it goes by the sub, too', async () => {
      await (await otherBrowserAfterLogout(scene())).isRefused()
    })
  })

  describe('as it comes, told by the sid alone', () => {
    const scene = interopScene(() => expressRp(() => true), false, { sidOnly: true })

    it('ends the session that it is told of, and no other', async () => {
      await (await otherBrowserAfterLogout(scene())).isKnown()
    })
  })
})

/** Somebody logs in with two browsers and out with one. Returns the other. */
async function otherBrowserAfterLogout(scene: InteropScene): Promise<Visitor> {
  const [visitor, other] = [scene.visitor(), scene.visitor()]
  for (const each of [visitor, other]) await each.logIn()
  const { uid } = await visitor.session()
  await visitor.atOp.logout({ client_id: OTHER })
  assert.deepEqual(await attempts(scene, uid), [['confirmed', 1]])
  await visitor.isRefused()
  return other
}
