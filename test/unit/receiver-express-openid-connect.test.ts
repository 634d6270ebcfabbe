import assert from 'node:assert/strict'
import type { ConfigParams } from 'express-openid-connect'
import { UnsecuredJWT } from 'jose'
import {
  type ExpressOpenidConnectHooks,
  expressOpenidConnect,
  loggedOutSessions,
  MemoryLoggedOutStore,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { ISSUER, NOW } from './receiver-issuer.ts'

const CLAIMS = { iss: ISSUER, sub: 'alice', sid: 'sid-1', iat: NOW - 100 }

describe('the hooks for express-openid-connect', () => {
  let hooks: ExpressOpenidConnectHooks

  beforeEach(() => {
    hooks = expressOpenidConnect(loggedOutSessions({ store: new MemoryLoggedOutStore(), sessionMaxAgeSeconds: 600 }))
  })

  const logout = (claims: object): Promise<void> => hooks.onLogoutToken({ iss: ISSUER, iat: NOW, ...claims })

  it('are what its configuration takes, as its own types say', () => {
    const configuration: ConfigParams = { backchannelLogout: hooks }
    assert.deepEqual(Object.keys(configuration.backchannelLogout as object), [
      'onLogoutToken',
      'isLoggedOut',
      'onLogin',
    ])
  })

  it('go by the ID token of the login, not by one that a refresh has brought', async () => {
    const req = { appSession: { id_token: idToken(CLAIMS) } }
    hooks.onLogin(req, {})
    req.appSession.id_token = idToken({ ...CLAIMS, sid: undefined, iat: NOW + 50 })
    assert.equal(await hooks.isLoggedOut(req, {}), false)
    await logout({ sub: 'alice' })
    assert.equal(await hooks.isLoggedOut(req, {}), true)
  })

  it('find the session under the name that is configured', async () => {
    const req = { mySession: { id_token: idToken(CLAIMS) } }
    hooks.onLogin(req, { session: { name: 'mySession' } })
    assert.deepEqual(Reflect.get(req.mySession, 'backChannelLogin'), CLAIMS)
    await logout({ sid: 'sid-1' })
    assert.equal(await hooks.isLoggedOut(req, { session: { name: 'mySession' } }), true)
  })

  it('check a session that is older than them by the ID token that it has', async () => {
    const { sid, ...refreshed } = CLAIMS
    const appSession = { id_token: idToken(refreshed), sid }
    const before = { ...appSession }
    assert.equal(await hooks.isLoggedOut({ appSession }, {}), false)
    await logout({ sid: 'sid-1' })
    assert.equal(await hooks.isLoggedOut({ appSession }, {}), true)
    assert.deepEqual(appSession, before)
  })

  it('fail where there is no session, or none with an ID token', async () => {
    const reason = { name: 'TypeError', message: /has no session of express-openid-connect with an ID token/ }
    for (const appSession of [undefined, null, 'x', {}, { id_token: 1 }]) {
      assert.throws(() => hooks.onLogin({ appSession }, {}), reason)
      await assert.rejects(hooks.isLoggedOut({ appSession }, {}), reason)
    }
    assert.throws(() => hooks.onLogin({}, {}), reason)
    await assert.rejects(hooks.isLoggedOut({ appSession: { id_token: 'x' } }, {}))
  })
})

function idToken(claims: object): string {
  return new UnsecuredJWT({ ...claims }).encode()
}
