import assert from 'node:assert/strict'
import { expressSessionCheck, koaSessionCheck } from '../../plugins/back-channel-logout-receiver/index.ts'

const loggedOut = { isLoggedOut: async () => true }
const down = new Error('down')
const late = { name: 'ReceiverStoreError', code: 'STORE_UNAVAILABLE', message: /20 ms/ }

describe('the check of express-session', () => {
  type Session = { regenerate(callback: (error: unknown) => void): unknown }

  /** What the check hands on to the next middleware. */
  function next(session: Session | undefined, sessions = loggedOut): Promise<unknown> {
    return new Promise((resolve) => {
      void expressSessionCheck(sessions, { timeoutMs: 20 })(session ? { session } : {}, undefined, resolve)
    })
  }

  it('goes on when the session was replaced, when it may live, and when there is none', async () => {
    assert.equal(await next({ regenerate: (done) => done(undefined) }), undefined)
    assert.equal(await next({ regenerate: () => assert.fail() }, { isLoggedOut: async () => false }), undefined)
    assert.equal(await next(undefined), undefined)
  })

  it('fails the request when the session cannot be checked or replaced, whatever was thrown', async () => {
    const rejects = (reason: unknown) => ({ isLoggedOut: () => Promise.reject(reason) })
    assert.equal(await next({ regenerate: () => assert.fail() }, rejects(down)), down)
    assert.match(String(await next({ regenerate: () => assert.fail() }, rejects(undefined))), /could not be checked/)
    assert.equal(await next({ regenerate: (done) => done(down) }), down)
    const throws = (): never => {
      throw down
    }
    assert.equal(await next({ regenerate: throws }), down)
  })

  it('fails the request when the store of sessions does not answer', async () => {
    const error = await next({ regenerate: () => {} })
    assert.throws(() => {
      throw error
    }, late)
  })
})

describe('the check of koa-session', () => {
  /** A context whose session becomes one of koa-session when it is set, as there. */
  function contextWith(regenerate: () => Promise<void>): { session: object } {
    let session: object = { backChannelLogin: {} }
    return {
      get session() {
        return session
      },
      set session(value) {
        session = { ...value, regenerate }
      },
    }
  }

  it('fails the request when the session cannot be replaced, or is not in time, and goes no further', async () => {
    const check = koaSessionCheck(loggedOut, { timeoutMs: 20 })
    const further = (): never => assert.fail('the request went on')
    await assert.rejects(
      check(
        contextWith(() => Promise.reject(down)),
        further,
      ),
      down,
    )
    await assert.rejects(
      check(
        contextWith(() => new Promise(() => {})),
        further,
      ),
      late,
    )
  })
})

describe('an option of the session checks', () => {
  for (const check of [expressSessionCheck, koaSessionCheck]) {
    it(`is refused by name: ${check.name}`, () => {
      assert.throws(() => check(loggedOut, { timeoutMs: -1 }), { code: 'OPTION_INVALID', option: 'timeoutMs' })
      assert.throws(() => check(loggedOut, { timeout: 1 } as object), { code: 'OPTION_INVALID', option: 'timeout' })
    })
  }
})
