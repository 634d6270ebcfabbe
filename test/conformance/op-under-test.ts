import { createServer } from 'node:https'
import Koa from 'koa'
import mount from 'koa-mount'
import Provider, { type Account, type Configuration } from 'oidc-provider'
import { eventSourced, type Logger } from 'oidc-provider-eventstore'
import { backChannelLogout } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { nameOf } from '../../example/op/accounts.ts'
import { configuration } from '../../example/op/configuration.ts'
import { interactions } from '../../example/op/interactions.ts'
import { openStore } from '../../example/op/open-store.ts'
import { opSecrets } from '../../example/op/secrets.ts'
import { assets } from '../../example/pages/assets.ts'
import { failurePages } from '../../example/pages/failures.ts'
import { securityHeaders } from '../../example/pages/security-headers.ts'
import type { Running } from '../../example/running.ts'
import { readSettings, type Settings } from '../../example/settings.ts'
import { type SuitePlace, suiteClients } from './suite-clients.ts'
import { networkTo } from './suite-network.ts'

export interface OpUnderTestOptions {
  /** `https://host:port`, as the suite and the browser reach it. */
  readonly origin: string
  readonly port: number
  /** Of the server: PEM. The suite takes a certificate that nobody has signed. */
  readonly tls: { readonly key: string; readonly cert: string }
  readonly suite: SuitePlace
  readonly stateFolder: string
  /** The log's place: a database, where one is named; else a folder in the state folder. */
  readonly mongodbUri?: string
  readonly logger: Logger
}

/** How long requests may take once the server is to stop, in milliseconds. */
const GRACE_MS = 2_000

/**
 * The example's OP (its configuration, its pages, its store), with what the suite wants of one: HTTPS, the suite's clients,
 * the standard's scopes and claims, refresh tokens.
 */
export async function startOpUnderTest(options: OpUnderTestOptions): Promise<Running & { readonly issuer: string }> {
  const { origin, port, tls, suite, stateFolder, logger } = options
  const settings = settingsOf(options)
  const places = [settings.op]
  const { store, close } = await openStore(settings, logger)
  const secrets = await opSecrets(stateFolder)
  const base = await configuration(settings, secrets)
  const logout = backChannelLogout({
    development: suite.baseUrl.startsWith('http:'),
    // The suite is on this machine, with a certificate that it has made itself. This OP tells nobody else.
    allowInternal: () => true,
    network: networkTo(suite.baseUrl),
  })
  const onLog = eventSourced(store, { plugins: [logout], logger })
  const clients = await suiteClients(suite, stateFolder)
  const issuer = `${origin}/oidc`
  const provider = new Provider(issuer, onLog.configure({ ...base, ...forTheSuite(base), clients }))
  await onLog.start(provider)

  const app = new Koa()
  app.keys = [...secrets.cookieKeys]
  app.use(securityHeaders([new URL(suite.baseUrl).origin]))
  app.use(failurePages({ app: 'op', places }, (err, { method, path }) => logger.error({ err, method, path }, 'failed')))
  app.use(assets)
  app.use(interactions(provider, places))
  app.use(mount('/oidc', provider))
  const server = createServer(tls, app.callback())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, resolve)
  })
  return {
    issuer,
    async stop() {
      const impatient = setTimeout(() => server.closeAllConnections(), GRACE_MS)
      await new Promise((resolve) => server.close(resolve))
      clearTimeout(impatient)
      await onLog.stop()
      await close()
    },
  }
}

/** The example's, without its RPs. */
function settingsOf({ origin, port, stateFolder, mongodbUri }: OpUnderTestOptions): Settings {
  const environment = { OP_PORT: String(port), STATE_FOLDER: stateFolder, START: 'op' }
  const database = 'oidc-provider-eventstore-conformance'
  const mongodb = mongodbUri === undefined ? {} : { MONGODB_URI: mongodbUri, MONGODB_DATABASE: database }
  const settings = readSettings({ ...environment, ...mongodb })
  return { ...settings, op: { ...settings.op, origin }, rps: [] }
}

/** OpenID Connect Core 1.0 section 5.4: which scope asks for which claims. */
const CLAIMS = {
  openid: ['sub'],
  profile: [
    ...['name', 'family_name', 'given_name', 'middle_name', 'nickname', 'preferred_username', 'profile', 'picture'],
    ...['website', 'gender', 'birthdate', 'zoneinfo', 'locale', 'updated_at'],
  ],
  email: ['email', 'email_verified'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
}

function forTheSuite(base: Configuration): Configuration {
  return {
    claims: CLAIMS,
    scopes: ['openid', 'profile', 'email', 'address', 'phone', 'offline_access'],
    findAccount: (_ctx, accountId): Account => ({ accountId, claims: () => claimsOf(accountId) }),
    pkce: { required: () => false }, // most modules send none
    // Core section 3.1.2.1 wants POST as well. Then the session's cookie has to come along from other sites.
    enableHttpPostMethods: true,
    cookies: { ...base.cookies, long: { httpOnly: true, secure: true, sameSite: 'none' } },
    ttl: { ...base.ttl, RefreshToken: 86_400 },
  }
}

function claimsOf(sub: string): { readonly sub: string; readonly [claim: string]: unknown } {
  const name = nameOf(sub)
  const [given_name = name, family_name = name] = name.split(' ')
  return {
    ...{ sub, name, given_name, family_name, middle_name: 'M', nickname: sub, preferred_username: sub },
    ...{
      profile: 'https://op.example/alice',
      picture: 'https://op.example/alice.png',
      website: 'https://alice.example',
    },
    ...{
      gender: 'female',
      birthdate: '1990-01-02',
      zoneinfo: 'Europe/Berlin',
      locale: 'en',
      updated_at: 1_767_225_600,
    },
    ...{ email: `${sub}@op.example`, email_verified: true },
    ...{ phone_number: '+49 30 000000', phone_number_verified: false },
    address: { formatted: 'Street 1\n10115 Berlin', street_address: 'Street 1', locality: 'Berlin', country: 'DE' },
  }
}
