import assert from 'node:assert/strict'
import type { Payload, RequestContext } from '../../lib/index.ts'
import { askingClient, reasonOfEnd, reasonOfRemoval } from '../../plugins/back-channel-logout/recording/reason.ts'

/** A request at this route of an OP, which answers under the base URL whatever its issuer is called. */
function request(
  route: string | undefined,
  base = 'https://op.example.com',
  routes = ['resume', 'device_resume'],
): RequestContext {
  const oidc = {
    route,
    urlFor(name: string, { uid }: { readonly uid: string }) {
      if (!routes.includes(name)) throw new Error(`no route ${name}`)
      return name === 'resume' ? `${base}/auth/${uid}` : `${base}/device/${uid}`
    },
  }
  return { oidc } as unknown as RequestContext
}

function session(postLogoutRedirectUri?: string): Payload {
  return { uid: 'uid', state: { secret: 'x', clientId: 'rp', ...(postLogoutRedirectUri && { postLogoutRedirectUri }) } }
}

describe("the reason of a session's end", () => {
  it('is the RP, at the end of the logout dialogue', () => {
    assert.equal(reasonOfEnd(session(), request('end_session_confirm')), 'rp_initiated')
    assert.equal(reasonOfEnd({ uid: 'uid' }, request('end_session_confirm')), 'rp_initiated')
    assert.equal(reasonOfEnd(session('https://rp.example.com/bye'), request('end_session_confirm')), 'rp_initiated')
  })

  for (const path of ['/auth/an-interaction', '/device/an-interaction']) {
    it(`is another account, where the login goes on at ${path}`, () => {
      const before = session(`https://op.example.com${path}`)
      assert.equal(reasonOfEnd(before, request('end_session_confirm')), 'account_switched')
    })
  }

  it('is another account, also where the OP is mounted below a path or goes by another host', () => {
    const base = 'http://10.1.2.3:3000/oidc'
    const before = session(`${base}/auth/an-interaction`)
    assert.equal(reasonOfEnd(before, request('end_session_confirm', base)), 'account_switched')
  })

  it('is the RP where the user goes on to something that only looks like a login', () => {
    for (const uri of [
      'https://op.example.com/auth',
      'https://op.example.com/authors/',
      'https://op.example.com.evil/auth/x',
    ]) {
      assert.equal(reasonOfEnd(session(uri), request('end_session_confirm')), 'rp_initiated', uri)
    }
  })

  it('is another account, where the OP knows no devices', () => {
    const before = session('https://op.example.com/auth/an-interaction')
    assert.equal(reasonOfEnd(before, request('end_session_confirm', undefined, ['resume'])), 'account_switched')
    const elsewhere = session('https://op.example.com/device/an-interaction')
    assert.equal(reasonOfEnd(elsewhere, request('end_session_confirm', undefined, ['resume'])), 'rp_initiated')
  })

  it('is that it was destroyed, in every other request and outside of requests', () => {
    assert.equal(reasonOfEnd(session(), undefined), 'session_destroyed')
    for (const route of ['authorization', 'resume', undefined]) {
      assert.equal(reasonOfEnd(session(), request(route)), 'session_destroyed')
    }
  })
})

describe('the reason of the end of single logins', () => {
  it('is the RP in the logout dialogue, and else that somebody removed them', () => {
    assert.equal(reasonOfRemoval(request('end_session_confirm')), 'rp_initiated')
    assert.equal(reasonOfRemoval(request('authorization')), 'authorization_removed')
    assert.equal(reasonOfRemoval(undefined), 'authorization_removed')
  })
})

describe('the client that asked', () => {
  it('is in the state of the dialogue, if there is one', () => {
    assert.equal(askingClient(session()), 'rp')
    for (const before of [{ uid: 'uid' }, { uid: 'uid', state: null }, { uid: 'uid', state: {} }]) {
      assert.equal(askingClient(before), undefined)
    }
  })
})
