import assert from 'node:assert/strict'
import * as oidc from 'openid-client'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys } from '../../lib/index.ts'
import { approveDevice } from '../support/device-user.ts'
import { everyFeature } from '../support/every-feature.ts'
import { privateDatabase } from '../support/mongo-database.ts'
import { type Op, Person, startOp, testClient } from '../support/op.ts'
import { eventNames, SteeredStore } from '../support/steered-store.ts'

const CIBA = 'urn:openid:params:grant-type:ciba'
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'
const CALLBACK = 'https://rp.example.com/cb'
const LOGIN = 'alice'

describe('oidc-provider on MongoDB, one commit for each request, as openid-client sees it:', () => {
  const mongo = privateDatabase()
  const rp = testClient('rp', {
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials', DEVICE_CODE, CIBA],
    backchannel_token_delivery_mode: 'poll',
  })
  let store: SteeredStore
  let op: Op
  let config: oidc.Configuration

  before(async () => {
    store = new SteeredStore(await MongoEventStore.open(mongo.db, { keys: ephemeralKeys() }))
    op = await startOp(store, { clients: [rp], configuration: { features: everyFeature(LOGIN) } })
    config = await discover(rp.client_id, String(rp.client_secret))
  })

  after(async () => {
    await op.stop()
    await store.close()
  })

  describe('the code flow', () => {
    it('ends in tokens for the user, with PKCE and a nonce', async () => {
      const tokens = await codeFlow(config)
      assert.equal(tokens.claims()?.sub, LOGIN)
      const { sub } = await oidc.fetchUserInfo(config, tokens.access_token, LOGIN)
      assert.equal(sub, LOGIN)
    })

    it('takes the code once, and revokes its tokens when it comes again', async () => {
      const { person, parameters, checks } = await askedFor(config)
      const back = await person.finish(await person.agent.get(oidc.buildAuthorizationUrl(config, parameters).href))
      const callback = new URL(`${CALLBACK}?${back}`)
      const tokens = await oidc.authorizationCodeGrant(config, callback, checks)
      await refused(oidc.authorizationCodeGrant(config, callback, checks), 'invalid_grant')
      const introspected = await oidc.tokenIntrospection(config, tokens.access_token)
      assert.equal(introspected.active, false)
    })

    it('refuses another verifier, and the code can still be used', async () => {
      const { person, parameters, checks } = await askedFor(config)
      const back = await person.finish(await person.agent.get(oidc.buildAuthorizationUrl(config, parameters).href))
      const callback = new URL(`${CALLBACK}?${back}`)
      const wrong = { ...checks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() }
      await refused(oidc.authorizationCodeGrant(config, callback, wrong), 'invalid_grant')
      assert.ok((await oidc.authorizationCodeGrant(config, callback, checks)).access_token)
    })
  })

  describe('refreshing', () => {
    it('gives new tokens each time', async () => {
      const tokens = await codeFlow(config)
      let refreshToken = String(tokens.refresh_token)
      for (let n = 0; n < 3; n++) {
        const next = await oidc.refreshTokenGrant(config, refreshToken)
        assert.notEqual(next.refresh_token, refreshToken)
        assert.equal((await oidc.fetchUserInfo(config, next.access_token, LOGIN)).sub, LOGIN)
        refreshToken = String(next.refresh_token)
      }
    })

    it('with a used token revokes the newest, too', async () => {
      const tokens = await codeFlow(config)
      const next = await oidc.refreshTokenGrant(config, String(tokens.refresh_token))
      await refused(oidc.refreshTokenGrant(config, String(tokens.refresh_token)), 'invalid_grant')
      await refused(oidc.refreshTokenGrant(config, String(next.refresh_token)), 'invalid_grant')
    })
  })

  describe('the device flow', () => {
    it('gives tokens to the device once its user has agreed, and only once', async () => {
      const device = await oidc.initiateDeviceAuthorization(config, { scope: 'openid offline_access' })
      const grant = { device_code: device.device_code }
      await refused(oidc.genericGrantRequest(config, DEVICE_CODE, grant), 'authorization_pending')
      const page = await approveDevice(new Person(op), op, device.user_code, LOGIN)
      assert.equal(page.status, 200)
      const tokens = await oidc.genericGrantRequest(config, DEVICE_CODE, grant)
      assert.equal((await oidc.fetchUserInfo(config, tokens.access_token, LOGIN)).sub, LOGIN)
      assert.ok((await oidc.refreshTokenGrant(config, String(tokens.refresh_token))).access_token)
      await refused(oidc.genericGrantRequest(config, DEVICE_CODE, grant), 'invalid_grant')
    })

    it('knows a user code once', async () => {
      const device = await oidc.initiateDeviceAuthorization(config, { scope: 'openid' })
      await approveDevice(new Person(op), op, device.user_code, LOGIN)
      const again = await approveDevice(new Person(op), op, device.user_code, LOGIN)
      assert.match(again.text, /the code you entered is incorrect/i)
    })
  })

  describe('CIBA', () => {
    it('gives tokens once the user has agreed on another device, and only once', async () => {
      const request = await oidc.initiateBackchannelAuthentication(config, { scope: 'openid', login_hint: LOGIN })
      const grant = { auth_req_id: request.auth_req_id }
      await refused(oidc.genericGrantRequest(config, CIBA, grant), 'authorization_pending')
      const agreed = new op.provider.Grant({ clientId: 'rp', accountId: LOGIN })
      agreed.addOIDCScope('openid')
      await agreed.save()
      await op.provider.backchannelResult(request.auth_req_id, agreed)
      const tokens = await oidc.genericGrantRequest(config, CIBA, grant)
      assert.equal((await oidc.fetchUserInfo(config, tokens.access_token, LOGIN)).sub, LOGIN)
      await refused(oidc.genericGrantRequest(config, CIBA, grant), 'invalid_grant')
    })

    it('has stored the request before the device is triggered', async () => {
      const before = store.commits.length
      await oidc.initiateBackchannelAuthentication(config, { scope: 'openid', login_hint: LOGIN })
      const commits = store.commits.slice(before).map(eventNames)
      assert.deepEqual(commits, [['BackchannelAuthenticationRequest stored']])
    })
  })

  describe('a pushed authorization request', () => {
    it('leads to tokens, and is good for one authorization', async () => {
      const { person, parameters, checks } = await askedFor(config)
      const url = await oidc.buildAuthorizationUrlWithPAR(config, parameters)
      assert.match(String(url.searchParams.get('request_uri')), /^urn:ietf:params:oauth:request_uri:/)
      const back = await person.finish(await person.agent.get(url.href))
      const tokens = await oidc.authorizationCodeGrant(config, new URL(`${CALLBACK}?${back}`), checks)
      assert.equal(tokens.claims()?.sub, LOGIN)
      const again = await person.agent.get(url.href)
      assert.match(again.headers.get('location') ?? again.text, /invalid_request_uri/)
    })
  })

  describe('a client that registers itself', () => {
    it('can be used, read, changed and removed', async () => {
      const initialAccessToken = await new op.provider.InitialAccessToken({}).save()
      const registered = await oidc.dynamicClientRegistration(
        new URL(op.issuer),
        { redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'refresh_token'] },
        undefined,
        { initialAccessToken, execute: [oidc.allowInsecureRequests] },
      )
      const metadata = registered.clientMetadata()
      assert.equal((await codeFlow(registered)).claims()?.sub, LOGIN)

      let token = String(metadata['registration_access_token'])
      const uri = String(metadata['registration_client_uri'])
      const manage = async (method: string, body?: object): Promise<Response> => {
        const response = await fetch(uri, {
          method,
          headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
          ...(body && { body: JSON.stringify(body) }),
        })
        return response
      }
      const read = (await (await manage('GET')).json()) as Record<string, unknown>
      assert.equal(read['client_id'], metadata.client_id)
      const {
        registration_access_token: _,
        registration_client_uri: __,
        client_secret_expires_at: ___,
        client_id_issued_at: ____,
        ...current
      } = read
      const changed = await manage('PUT', { ...current, client_name: 'Renamed ☃' })
      assert.equal(changed.status, 200)
      const former = token
      token = String(((await changed.json()) as Record<string, unknown>)['registration_access_token'])
      assert.notEqual(token, former)
      assert.equal(((await (await manage('GET')).json()) as Record<string, unknown>)['client_name'], 'Renamed ☃')
      assert.equal((await manage('DELETE')).status, 204)
      assert.equal((await manage('GET')).status, 401)
      await refused(oidc.refreshTokenGrant(registered, 'any'), 'invalid_client')
    })
  })

  describe('introspection and revocation', () => {
    it('tell of a token as long as it is good', async () => {
      const tokens = await codeFlow(config)
      const refreshToken = String(tokens.refresh_token)
      for (const [token, sub] of [
        [tokens.access_token, LOGIN],
        [refreshToken, LOGIN],
      ] as const) {
        const told = await oidc.tokenIntrospection(config, token)
        assert.deepEqual([told.active, told.sub, told.client_id], [true, sub, 'rp'])
      }
      await oidc.tokenRevocation(config, refreshToken)
      for (const token of [tokens.access_token, refreshToken]) {
        assert.equal((await oidc.tokenIntrospection(config, token)).active, false)
      }
      await assert.rejects(oidc.fetchUserInfo(config, tokens.access_token, LOGIN))
      await refused(oidc.refreshTokenGrant(config, refreshToken), 'invalid_grant')
    })

    it('of a token that never was is no error', async () => {
      assert.equal((await oidc.tokenIntrospection(config, 'unknown')).active, false)
      await oidc.tokenRevocation(config, 'unknown')
    })
  })

  describe('DPoP', () => {
    it('binds tokens to a key, through exchange, userinfo and refresh', async () => {
      const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair())
      const { person, parameters, checks } = await askedFor(config)
      const back = await person.finish(await person.agent.get(oidc.buildAuthorizationUrl(config, parameters).href))
      const tokens = await oidc.authorizationCodeGrant(config, new URL(`${CALLBACK}?${back}`), checks, undefined, {
        DPoP,
      })
      assert.equal(tokens.token_type, 'dpop')
      assert.equal((await oidc.fetchUserInfo(config, tokens.access_token, LOGIN, { DPoP })).sub, LOGIN)
      const stolen = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair())
      await assert.rejects(oidc.fetchUserInfo(config, tokens.access_token, LOGIN, { DPoP: stolen }))
      await assert.rejects(oidc.fetchUserInfo(config, tokens.access_token, LOGIN))
      const next = await oidc.refreshTokenGrant(config, String(tokens.refresh_token), undefined, { DPoP })
      assert.equal((await oidc.fetchUserInfo(config, next.access_token, LOGIN, { DPoP })).sub, LOGIN)
    })
  })

  describe('a logout', () => {
    it('ends the session: the next authorization asks for a login', async () => {
      const person = new Person(op)
      await person.authorize('rp')
      const without = await person.agent.get(person.authorizationUrl('rp', { prompt: 'none' }))
      assert.match(without.headers.get('location') ?? '', /[?&]code=/)
      assert.equal((await person.logout()).status, 303)
      const after = await person.agent.get(person.authorizationUrl('rp', { prompt: 'none' }))
      assert.match(after.headers.get('location') ?? '', /error=login_required/)
    })
  })

  describe('the log of all this', () => {
    it('has whatever was redeemed and what it was redeemed for in the same commit', () => {
      const redeeming = store.commits
        .map(eventNames)
        .filter((names) =>
          names.some((name) => /^(AuthorizationCode|DeviceCode|RefreshToken|Back.*) consumed$/.test(name)),
        )
      assert.ok(redeeming.length > 10, `${redeeming.length} commits`)
      for (const names of redeeming) assert.ok(names.includes('AccessToken stored'), names.join())
    })
  })

  function discover(clientId: string, secret: string): Promise<oidc.Configuration> {
    return oidc.discovery(new URL(op.issuer), clientId, secret, oidc.ClientSecretPost(secret), {
      execute: [oidc.allowInsecureRequests],
    })
  }

  /** What an RP asks for, who goes to the OP with it, and what the RP checks afterwards. */
  async function askedFor(client: oidc.Configuration): Promise<{
    person: Person
    parameters: Record<string, string>
    checks: { pkceCodeVerifier: string; expectedState: string; expectedNonce: string }
  }> {
    const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
    const [expectedState, expectedNonce] = [oidc.randomState(), oidc.randomNonce()]
    const parameters = {
      redirect_uri: CALLBACK,
      scope: 'openid offline_access',
      prompt: 'consent',
      state: expectedState,
      nonce: expectedNonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    }
    assert.ok(client.clientMetadata().client_id)
    return { person: new Person(op), parameters, checks: { pkceCodeVerifier, expectedState, expectedNonce } }
  }

  async function codeFlow(
    client: oidc.Configuration,
  ): Promise<oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers> {
    const { person, parameters, checks } = await askedFor(client)
    const back = await person.finish(await person.agent.get(oidc.buildAuthorizationUrl(client, parameters).href))
    return oidc.authorizationCodeGrant(client, new URL(`${CALLBACK}?${back}`), checks)
  }

  /** The OP answers with this error. */
  async function refused(request: Promise<unknown>, error: string): Promise<void> {
    await assert.rejects(request, (thrown) => {
      assert.ok(
        thrown instanceof oidc.ResponseBodyError || thrown instanceof oidc.WWWAuthenticateChallengeError,
        String(thrown),
      )
      if (thrown instanceof oidc.ResponseBodyError) assert.equal(thrown.error, error)
      return true
    })
  }
})
