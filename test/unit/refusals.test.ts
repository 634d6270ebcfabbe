import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { KeyRing, type Keys, type RequestContext } from '../../lib/index.ts'
import { asProviderError, replayed, usedUp } from '../../lib/provider/refusals.ts'
import { FakeContext, keysNamed } from '../contract/provider-adapter/adapter-under-test.ts'

describe('the loser of a race for a proof that may be shown once', () => {
  const keys = new KeyRing(keysNamed(['s1'], ['h1']) satisfies Keys)

  /** The mark that another request holds, of the proof with this `jti` of this client. */
  function markOf(jti: string, clientId = 'rp'): string {
    const id = createHash('sha256').update(`${clientId}${jti}`).digest('base64url')
    return `${keys.streams('ReplayDetection', id)[0]}@1`
  }

  /** A request of the client `rp`, as the provider has understood it. */
  function requestWith(headers: Record<string, string>, oidc: object = {}): RequestContext {
    const client = { entities: { Client: { clientId: 'rp' } } }
    return Object.assign(new FakeContext(), { headers, oidc: { issuer: 'https://op.example.com', ...client, ...oidc } })
  }

  const jwt = (jti: string): string => `e30.${Buffer.from(JSON.stringify({ jti })).toString('base64url')}.x`
  const dpop = { dpop: jwt('proof') }
  const pop = { 'oauth-client-attestation-pop': jwt('proof') }

  for (const [what, ctx, status, error] of [
    ['a DPoP proof at the token endpoint', requestWith(dpop, { route: 'token' }), 400, 'invalid_grant'],
    ['a DPoP proof at the userinfo endpoint', requestWith(dpop, { route: 'userinfo' }), 401, 'invalid_token'],
    ['a DPoP proof at the credential endpoint', requestWith(dpop, { route: 'credential' }), 401, 'invalid_token'],
    [
      'a DPoP proof anywhere else',
      requestWith(dpop, { route: 'pushed_authorization_request' }),
      400,
      'invalid_request',
    ],
    [
      'a DPoP proof that attests the client as well',
      requestWith(dpop, { route: 'token', clientAttestation: { method: 'dpop_combined', signal: true } }),
      400,
      'invalid_dpop_proof',
    ],
    [
      'an attestation’s proof of possession',
      requestWith(pop, { clientAttestation: { method: 'attest_jwt_client_auth', signal: true } }),
      400,
      'invalid_client_attestation',
    ],
    ['a proof of possession where no attestation was asked for', requestWith(pop), 401, 'invalid_client'],
    ['a client assertion, beside a DPoP proof that is new', requestWith({ dpop: jwt('new') }), 401, 'invalid_client'],
    ['a client assertion, beside what is no JWT', requestWith({ dpop: 'no JWT' }), 401, 'invalid_client'],
    ['a client assertion', requestWith({}), 401, 'invalid_client'],
    [
      'a DPoP proof of a client that only the request names',
      requestWith(dpop, { route: 'token', entities: undefined, client: { clientId: 'rp' } }),
      400,
      'invalid_grant',
    ],
    [
      'a proof of a request whose client is not known yet',
      requestWith(dpop, { route: 'token', entities: undefined }),
      401,
      'invalid_client',
    ],
  ] as const) {
    it(`is told what the provider tells: ${what}`, () => {
      const refusal = replayed(keys, ctx, markOf('proof'))
      assert.deepEqual([refusal.status, refusal.error], [status, error])
    })
  }

  it('is told of the proof by the header that RFC 9449 section 7.1 asks for, where it is about an access token', () => {
    const { headers } = replayed(keys, requestWith(dpop, { route: 'userinfo' }), markOf('proof'))
    assert.match(headers?.['WWW-Authenticate'] ?? '', /^DPoP realm="https:\/\/op\.example\.com", error="invalid_token"/)
  })

  it('is told the same by the error of a write that was not staged, and nothing that there is not to tell', () => {
    const cause = new Error('another was faster')
    const { message, ...told } = asProviderError(usedUp('AuthorizationCode'), cause) as Error & { cause: unknown }
    assert.equal(message, 'invalid_grant')
    assert.deepEqual(told, {
      status: 400,
      statusCode: 400,
      expose: true,
      error: 'invalid_grant',
      error_description: 'grant request is invalid',
    })
    assert.ok(!('error_description' in asProviderError({ status: 400, error: 'invalid_request' }, cause)))
  })
})
