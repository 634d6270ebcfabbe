import assert from 'node:assert/strict'
import { type ApacheInstallation, findApache } from '../support/apache.ts'
import { apacheRp } from './apache-rp.ts'
import { OTHER } from './interop-scene.ts'
import { attempts, interopScene, loginBeforeRetry, relyingPartyContract } from './relying-party-contract.ts'

describe('Apache with mod_auth_openidc', () => {
  let installation: ApacheInstallation

  before(function () {
    const found = findApache('auth_openidc')
    if ('missing' in found) {
      console.log(`      The tests with mod_auth_openidc did not run: ${found.missing}.`)
      this.skip()
    }
    installation = found
  })

  const makeRp = () => apacheRp(installation)
  relyingPartyContract(makeRp)

  describe('with a login over a session that it still holds', () => {
    const scene = interopScene(makeRp, true)

    it('ends both at a late retry, since it files both under one session', async () => {
      await (await loginBeforeRetry(scene())).isRefused()
    })
  })

  describe('that keeps its sessions in cookies', () => {
    const scene = interopScene(() => apacheRp(installation, 'client-cookie'))

    it('confirms a logout that it cannot carry out', async () => {
      const visitor = scene().visitor()
      await visitor.logIn()
      const { uid } = await visitor.session()
      await visitor.atOp.logout({ client_id: OTHER })
      assert.deepEqual(await attempts(scene(), uid), [['confirmed', 1]])
      await visitor.isKnown()
    })
  })
})
