import assert from 'node:assert/strict'
import type { ClientMetadata } from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type AttestedInstance, newAttestedInstance } from '../support/attestation.ts'
import { Client, type Op, startOp, type TokenAnswer } from '../support/op.ts'
import { barrier, eventNames, SteeredStore } from '../support/steered-store.ts'

const POP = 'oauth-client-attestation-pop'

/** How a client shows that its key is attested. */
type Proofs = () => Promise<Record<string, string>>

describe('an attestation’s proof that two requests show at once', () => {
  let instance: AttestedInstance
  let store: SteeredStore
  let op: Op

  before(async () => {
    instance = await newAttestedInstance()
  })
  beforeEach(async () => {
    store = new SteeredStore(new MemoryEventStore())
    op = await startOp(store, {
      clients: [
        client('attested', 'attest_jwt_client_auth'),
        client('attested-dpop', 'attest_jwt_client_auth_dpop'),
        { ...client('secret', 'client_secret_post'), client_secret: 'a secret of the tests' },
      ],
      configuration: {
        clientAuthMethods: ['attest_jwt_client_auth', 'attest_jwt_client_auth_dpop', 'client_secret_post'] as never,
        features: {
          clientCredentials: { enabled: true },
          pushedAuthorizationRequests: { enabled: true },
          dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 'n'), requireNonce: () => false },
          attestClientAuth: {
            enabled: true,
            ack: 'draft-12',
            additionalSecuritySignal: 'optional',
            challengeSecret: Buffer.alloc(32, 'c'),
            getAttestationSignaturePublicKey: async () => instance.attesterKey,
            assertAttestationJwtAndPop: async () => undefined,
          },
        } as never,
      },
    })
  })
  afterEach(async () => {
    await op.stop()
    await store.close()
  })

  const token = (id: string, headers: Record<string, string>): Promise<TokenAnswer> =>
    new Client(op, { client_id: id, ...(id === 'secret' && { client_secret: 'a secret of the tests' }) }).token(
      { grant_type: 'client_credentials' },
      headers,
    )

  /** What the OP wants to find in the next proof, and tells whoever shows one without it. */
  async function pop(id: string): Promise<string> {
    const attestation = await instance.attestation(id)
    const headers = { 'oauth-client-attestation': attestation, [POP]: await instance.pop(id, op.issuer) }
    const challenge = (await token(id, headers)).headers.get('oauth-client-attestation-challenge')
    assert.ok(challenge)
    return instance.pop(id, op.issuer, challenge)
  }

  async function dpop(id: string): Promise<string> {
    const url = `${op.issuer}/token`
    const attestation = await instance.attestation(id)
    const headers = { 'oauth-client-attestation': attestation, dpop: await instance.dpop('POST', url) }
    const nonce = (await token(id, headers)).headers.get('dpop-nonce')
    assert.ok(nonce)
    return instance.dpop('POST', url, nonce)
  }

  async function attested(id: string, headers: Record<string, string>): Promise<Record<string, string>> {
    return { 'oauth-client-attestation': await instance.attestation(id), ...headers }
  }

  /** The same proofs go with two requests at once, then with a third: the loser gets what the provider says then. */
  async function assertLoserIsTold(id: string, proofs: Proofs, status: number, error: string): Promise<void> {
    const send = async (): Promise<TokenAnswer> => token(id, await proofs())
    const wait = barrier(2)
    store.beforeAppend = (commit) => (eventNames(commit).includes('ReplayDetection stored') ? wait() : undefined)
    const answers = await Promise.all([send(), send()])
    store.beforeAppend = undefined
    assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, status])
    const loser = answers.find((answer) => answer.status !== 200)
    assert.equal(loser?.body['error'], error)
    const third = await send()
    assert.deepEqual([third.status, third.body], [loser?.status, loser?.body])
    assert.equal(third.headers.get('www-authenticate'), loser?.headers.get('www-authenticate') ?? null)
  }

  it('is refused as the client: its proof of possession', async () => {
    const headers = await attested('attested', { [POP]: await pop('attested') })
    await assertLoserIsTold('attested', async () => headers, 401, 'invalid_client')
  })

  it('is refused as a DPoP proof: one that is both', async () => {
    const headers = await attested('attested-dpop', { dpop: await dpop('attested-dpop') })
    await assertLoserIsTold('attested-dpop', async () => headers, 400, 'invalid_dpop_proof')
  })

  it('is refused as the attestation: a proof of possession beside another authentication', async () => {
    const headers = await attested('secret', { [POP]: await pop('secret') })
    await assertLoserIsTold('secret', async () => headers, 400, 'invalid_client_attestation')
  })

  it('is refused as a DPoP proof: one that is both, beside another authentication', async () => {
    const headers = await attested('secret', { dpop: await dpop('secret') })
    await assertLoserIsTold('secret', async () => headers, 400, 'invalid_dpop_proof')
  })

  it('is refused as the client where each request has a DPoP proof of its own', async () => {
    const headers = await attested('attested', { [POP]: await pop('attested') })
    const proofs = async () => ({ ...headers, dpop: await instance.dpop('POST', `${op.issuer}/token`) })
    await assertLoserIsTold('attested', proofs, 401, 'invalid_client')
  })

  it('is refused as the client where the DPoP proof is the same, too: it is asked for first', async () => {
    const dpop = await instance.dpop('POST', `${op.issuer}/token`)
    const headers = await attested('attested', { [POP]: await pop('attested'), dpop })
    await assertLoserIsTold('attested', async () => headers, 401, 'invalid_client')
  })

  it('of its own with each request leaves a DPoP proof that is shown twice to be refused', async () => {
    const dpop = await instance.dpop('POST', `${op.issuer}/token`)
    const pops = [await pop('attested'), await pop('attested'), await pop('attested')]
    const proofs = () => attested('attested', { [POP]: pops.pop() ?? '', dpop })
    await assertLoserIsTold('attested', proofs, 400, 'invalid_grant')
  })
})

function client(id: string, method: string): ClientMetadata {
  return {
    client_id: id,
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: method as never,
  }
}
