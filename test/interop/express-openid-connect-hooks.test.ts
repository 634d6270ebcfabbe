import assert from 'node:assert/strict'
import {
  expressOpenidConnect,
  expressSessionLoggedOutStore,
  loggedOutSessions,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { expressRp, type TakesLogouts } from './express-rp.ts'
import { OTHER } from './interop-scene.ts'
import { attempts, interopScene, loginBeforeRetry, relyingPartyContract } from './relying-party-contract.ts'

/** The hooks of the receiver as they stand, over the store that the application has anyway. */
const hooks: TakesLogouts = (store) =>
  expressOpenidConnect(
    loggedOutSessions({ store: expressSessionLoggedOutStore(store), sessionMaxAgeSeconds: 7 * 86_400 }),
  )

describe("Express with express-openid-connect and the receiver's hooks", () => {
  const makeRp = () => expressRp(hooks)
  relyingPartyContract(makeRp)

  describe('with a login over a session that it still holds', () => {
    const scene = interopScene(makeRp, true)

    it('keeps that login at a late retry', async () => {
      await (await loginBeforeRetry(scene())).isKnown()
    })

    it('refuses the old session in another browser although the user has logged in again', async () => {
      const visitor = scene().visitor()
      await visitor.logIn()
      const { uid } = await visitor.session()
      const stolen = visitor.shadow()
      await visitor.atOp.logout({ client_id: OTHER })
      assert.deepEqual(await attempts(scene(), uid), [['confirmed', 1]])
      await scene().visitor().logIn()
      await stolen.isRefused()
    })
  })
})
