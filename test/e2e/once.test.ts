import assert from 'node:assert/strict'
import type { ClientMetadata } from 'oidc-provider'
import { Front } from '../support/front.ts'
import { Client, Person, type TokenAnswer, testClient, testSigningKey } from '../support/op.ts'
import { OpProcess } from '../support/op-process.ts'
import { newProofKey, type ProofKey } from '../support/proofs.ts'
import { newPlace, type PrivatePlace } from '../support/store-place.ts'

const ATTEMPTS = 32

describe('an OP of two processes on one MongoDB database, asked 32 times at once', () => {
  const rp = testClient('rp')
  let key: ProofKey
  let place: PrivatePlace
  let front: Front
  let processes: OpProcess[] = []
  /** The OP, behind one address. */
  let op: { readonly issuer: string }
  /** Each of its processes. */
  let each: { readonly issuer: string }[]

  before(async () => {
    key = await newProofKey()
    place = await newPlace('mongodb')
    front = await Front.start()
    op = { issuer: `http://127.0.0.1:${front.port}` }
    const { client_secret: _, ...metadata } = testClient('jwt')
    const jwt: ClientMetadata = {
      ...metadata,
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [key.publicJwk as never] },
    }
    const setup = {
      place: place.place,
      issuer: op.issuer,
      clients: [rp, jwt],
      jwks: { keys: [await testSigningKey()] },
      quicker: 1,
    }
    processes = await Promise.all([OpProcess.start(setup), OpProcess.start(setup)])
    front.leadTo(processes.map(({ port }) => port))
    each = processes.map(({ port }) => ({ issuer: `http://127.0.0.1:${port}` }))
  })

  after(async () => {
    await Promise.all(processes.map((process) => process.kill()))
    await front.stop()
    await place.drop()
  })

  it('redeems a code once', async () => {
    for (const code of [await newCode(), await newCode(), await newCode()]) {
      const { won, lost } = await atOnce((at) => new Client(at, rp).exchange(code))
      assert.equal(won.length, 1)
      for (const { status, body } of lost) assert.deepEqual([status, body['error']], [400, 'invalid_grant'])
    }
  })

  it('redeems a refresh token once', async () => {
    for (let n = 0; n < 3; n++) {
      const { body } = await new Client(op, rp).exchange(await newCode())
      const { won, lost } = await atOnce((at) => new Client(at, rp).refresh(String(body['refresh_token'])))
      assert.equal(won.length, 1)
      for (const { status, body } of lost) assert.deepEqual([status, body['error']], [400, 'invalid_grant'])
    }
  })

  it('takes a pushed authorization request once', async () => {
    const person = new Person(op)
    await person.authorize('rp')
    const cookie = ['_session', '_session.sig'].map((name) => `${name}=${person.agent.cookie(name)}`).join('; ')
    const pushed = await new Client(op, rp).push({
      response_type: 'code',
      redirect_uri: 'https://rp.example.com/cb',
      scope: 'openid',
    })
    assert.equal(pushed.status, 201)
    const query = new URLSearchParams({ client_id: 'rp', request_uri: String(pushed.body['request_uri']) })
    const outcomes = await Promise.all(
      attempts(async ({ issuer }) => {
        const url = `${issuer}/auth?${query}`
        // A browser repeats the request as long as it is told to.
        for (let tries = 0; tries < 10; tries++) {
          const { headers } = await fetch(url, { redirect: 'manual', headers: { cookie, accept: 'text/html' } })
          const location = new URL(headers.get('location') ?? '', url)
          if (location.href !== url) return location.searchParams.get('error') ?? [...location.searchParams.keys()][0]
        }
        return 'was told to repeat it again and again'
      }),
    )
    assert.deepEqual(outcomes.sort(), ['code', ...Array(ATTEMPTS - 1).fill('invalid_request_uri')])
  })

  it('takes a client assertion once', async () => {
    for (let n = 0; n < 3; n++) {
      const assertion = await key.assertion('jwt', op.issuer)
      const { won, lost } = await atOnce((at) =>
        new Client(at, { client_id: 'jwt' }).push({
          response_type: 'code',
          redirect_uri: 'https://rp.example.com/cb',
          scope: 'openid',
          ...assertion,
        }),
      )
      assert.equal(won.length, 1)
      for (const { status, body } of lost) assert.deepEqual([status, body['error']], [401, 'invalid_client'])
    }
  })

  async function newCode(): Promise<string> {
    const back = await new Person(op).authorize('rp', { scope: 'openid offline_access', prompt: 'consent' })
    return back.get('code') ?? ''
  }

  /** All at once, by turns in the one process and in the other. */
  function attempts<T>(attempt: (at: { readonly issuer: string }) => Promise<T>): Promise<T>[] {
    return Array.from({ length: ATTEMPTS / 2 }, () => each.map(attempt)).flat()
  }

  async function atOnce(
    attempt: (at: { readonly issuer: string }) => Promise<TokenAnswer>,
  ): Promise<{ won: TokenAnswer[]; lost: TokenAnswer[] }> {
    const answers = await Promise.all(attempts(attempt))
    const hasWon = ({ status }: TokenAnswer): boolean => status < 300
    return { won: answers.filter(hasWon), lost: answers.filter((answer) => !hasWon(answer)) }
  }
})
