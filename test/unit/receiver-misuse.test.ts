import assert from 'node:assert/strict'
import {
  expressOpenidConnect,
  expressSessionCheck,
  koaSessionCheck,
  type LoggedOutSessions,
  loggedOutSessions,
  MemoryLoggedOutStore,
  verifyLogoutToken,
} from '../../plugins/back-channel-logout-receiver/index.ts'

describe('a receiver that is put together wrongly', () => {
  const sessions = loggedOutSessions({ store: new MemoryLoggedOutStore(), sessionMaxAgeSeconds: 60 })

  for (const check of [koaSessionCheck, expressSessionCheck, expressOpenidConnect]) {
    for (const given of [undefined, null, {}, Promise.resolve(sessions)]) {
      it(`says so when it is made, not at the first request: ${check.name} of ${String(given)}`, () => {
        const call = () => check(given as unknown as LoggedOutSessions)
        assert.throws(call, {
          code: 'OPTION_INVALID',
          option: 'sessions',
          message: /what loggedOutSessions\(\) returns/,
        })
      })
    }

    it(`takes methods of a class: ${check.name}`, () => {
      class Wrapped {
        readonly #sessions = sessions
        readonly onLogout: LoggedOutSessions['onLogout'] = (logout) => this.#sessions.onLogout(logout)
        readonly onLogoutToken: LoggedOutSessions['onLogoutToken'] = (claims) => this.#sessions.onLogoutToken(claims)
        readonly onLogin: LoggedOutSessions['onLogin'] = (...login) => this.#sessions.onLogin(...login)
        isLoggedOut(session: object | null | undefined): Promise<boolean> {
          return this.#sessions.isLoggedOut(session)
        }
      }
      assert.ok(check(new Wrapped()))
    })
  }

  for (const session of [undefined, null, 'id']) {
    it(`says that there is no session where a login is to be recorded: ${session}`, () => {
      const call = () => sessions.onLogin(session as unknown as object, { iss: 'https://op.example', sub: 'a', iat: 1 })
      assert.throws(call, { code: 'OPTION_INVALID', option: 'session', message: /session middleware/ })
    })
  }

  it('says that a JWKS needs a key', async () => {
    const verified = verifyLogoutToken('x', { issuer: 'https://op.example', audience: 'rp', jwks: { keys: [] } })
    await assert.rejects(verified, { code: 'OPTION_INVALID', option: 'jwks', message: /at least one key/ })
  })
})
