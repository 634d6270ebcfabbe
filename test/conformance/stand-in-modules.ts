import assert from 'node:assert/strict'
import { decodeJwt } from 'jose'
import { Agent, fetch } from 'undici'
import type { Script, StandInModule } from './stand-in-suite.ts'

/** The OP has a certificate that nobody has signed: the real suite takes it, too. */
const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })

interface Metadata {
  readonly issuer: string
  readonly authorization_endpoint: string
  readonly token_endpoint: string
  readonly userinfo_endpoint: string
  readonly end_session_endpoint: string
  readonly backchannel_logout_supported?: boolean
}

interface TestClient {
  readonly client_id: string
  readonly client_secret: string
}

/** What the discovery document says is where it says, and everything is behind https. */
const discovery: Script = async (module) => {
  const metadata = await metadataFor(module)
  for (const [name, value] of Object.entries(metadata))
    if (/_endpoint$|_uri$/.test(name)) assert.match(String(value), /^https:/, name)
  assert.equal(metadata.backchannel_logout_supported, true)
  return 'PASSED'
}

/** A login, and the claims of every scope. */
const code: Script = async (module) => {
  const metadata = await metadataFor(module)
  const { id_token, access_token } = await login(module, metadata, { scope: 'openid profile email address phone' })
  assert.equal(decodeJwt(id_token).iss, metadata.issuer)
  const answer = await fetch(metadata.userinfo_endpoint, {
    dispatcher,
    headers: { authorization: `Bearer ${access_token}` },
  })
  const claims = (await answer.json()) as Record<string, unknown>
  for (const claim of ['sub', 'name', 'email', 'address', 'phone_number']) assert.ok(claims[claim], `no ${claim}`)
  return 'PASSED'
}

/** An authorization request by POST. */
const posted: Script = async (module) => {
  const metadata = await metadataFor(module)
  await login(module, metadata, { scope: 'openid' }, 'POST')
  return 'PASSED'
}

/** A refresh token, which an OP gives after the user was asked. */
const refresh: Script = async (module) => {
  const metadata = await metadataFor(module)
  const { refresh_token } = await login(module, metadata, { scope: 'openid offline_access', prompt: 'consent' })
  const again = await tokens(module, metadata, { grant_type: 'refresh_token', refresh_token: String(refresh_token) })
  assert.notEqual(again.access_token, undefined)
  return 'PASSED'
}

/** A second login that has to be asked for, with a screenshot of that. */
const promptLogin: Script = async (module) => {
  const metadata = await metadataFor(module)
  const first = decodeJwt((await login(module, metadata, { scope: 'openid', max_age: '1000' })).id_token)
  module.images.push({ upload: 'the-second-login' })
  const second = decodeJwt(
    (await login(module, metadata, { scope: 'openid', prompt: 'login', max_age: '1000' })).id_token,
  )
  assert.equal(second.sub, first.sub)
  while (module.images[0]?.img === undefined) await new Promise(setImmediate)
  assert.match(module.images[0].img, /^data:image\/png;base64,.{1000,}/)
  return 'REVIEW'
}

/** A redirect URI that is not registered: the OP must not go there, but say so. */
const badRedirectUri: Script = async (module) => {
  const metadata = await metadataFor(module)
  module.images.push({ upload: 'the-error' })
  module.browse(authorizationUrl(module, metadata, { scope: 'openid', redirect_uri: `${module.at}/elsewhere` }))
  while (module.images[0]?.img === undefined) await new Promise(setImmediate)
  return 'REVIEW'
}

/** A logout that is asked for, told by the back channel and followed by a redirect; then nobody is logged in. */
const backChannel: Script = async (module) => {
  const metadata = await metadataFor(module)
  const { id_token } = await login(module, metadata, { scope: 'openid' })
  const query = {
    ...{ id_token_hint: id_token, state: 'bye' },
    post_logout_redirect_uri: `${module.at}/post_logout_redirect`,
  }
  module.browse(`${metadata.end_session_endpoint}?${new URLSearchParams(query)}`)
  const [told, back] = await Promise.all([module.arrival('backchannel_logout'), module.arrival('post_logout_redirect')])
  assert.equal(back.url.searchParams.get('state'), 'bye')
  const token = decodeJwt(new URLSearchParams(told.body).get('logout_token') ?? '')
  assert.equal(token['sid'], decodeJwt(id_token)['sid'])
  assert.equal(token.aud, clientOf(module).client_id)
  module.browse(authorizationUrl(module, metadata, { scope: 'openid', prompt: 'none' }))
  const { url } = await module.arrival('callback')
  assert.equal(url.searchParams.get('error'), 'login_required')
  return 'PASSED'
}

export const STAND_IN_MODULES: Readonly<Record<string, Script>> = {
  ...{ discovery, code, posted, refresh },
  ...{ 'prompt-login': promptLogin, 'bad-redirect-uri': badRedirectUri, 'back-channel': backChannel },
}

async function metadataFor({ configuration }: StandInModule): Promise<Metadata> {
  const { discoveryUrl } = configuration['server'] as { readonly discoveryUrl: string }
  return (await (await fetch(discoveryUrl, { dispatcher })).json()) as Metadata
}

function clientOf({ configuration }: StandInModule): TestClient {
  return configuration['client'] as TestClient
}

function authorizationUrl(
  module: StandInModule,
  { authorization_endpoint }: Metadata,
  parameters: Readonly<Record<string, string>>,
): string {
  const { client_id } = clientOf(module)
  const query = { client_id, response_type: 'code', redirect_uri: `${module.at}/callback`, ...parameters }
  return `${authorization_endpoint}?${new URLSearchParams(query)}`
}

async function login(
  module: StandInModule,
  metadata: Metadata,
  parameters: Readonly<Record<string, string>>,
  method: 'GET' | 'POST' = 'GET',
): Promise<{ readonly id_token: string; readonly access_token: string; readonly refresh_token?: string }> {
  module.browse(authorizationUrl(module, metadata, parameters), method)
  const { url } = await module.arrival('callback')
  const redirect_uri = `${module.at}/callback`
  const used = url.searchParams.get('code') ?? assert.fail(url.search)
  return tokens(module, metadata, { grant_type: 'authorization_code', code: used, redirect_uri })
}

async function tokens(
  module: StandInModule,
  { token_endpoint }: Metadata,
  form: Readonly<Record<string, string>>,
): Promise<{ readonly id_token: string; readonly access_token: string; readonly refresh_token?: string }> {
  const { client_id, client_secret } = clientOf(module)
  const authorization = `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`
  const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' }
  const body = new URLSearchParams(form).toString()
  const answer = await fetch(token_endpoint, { method: 'POST', dispatcher, headers, body })
  assert.equal(answer.status, 200, await answer.clone().text())
  return (await answer.json()) as { readonly id_token: string; readonly access_token: string }
}
