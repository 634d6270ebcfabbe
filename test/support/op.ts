import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import Provider, { type ClientMetadata, type Configuration } from 'oidc-provider'
import {
  type Clock,
  type EventSourced,
  type EventStore,
  eventSourced,
  type Logger,
  type OwnAdapters,
  type Plugin,
  silent,
  type Telemetry,
} from '../../lib/index.ts'
import { checkedLogger, checkedTelemetry, leaks } from './leak-check.ts'
import { type Answer, field, UserAgent } from './user-agent.ts'

/** An OP on the log, listening on a port of its own. */
export interface Op {
  readonly issuer: string
  readonly port: number
  readonly provider: Provider
  readonly eventSourced: EventSourced
  /** Stops listening and stops the plugins; the store stays open. */
  stop(): Promise<void>
}

export interface OpOptions {
  readonly plugins?: readonly Plugin[]
  readonly configuration?: Configuration
  readonly clients?: readonly ClientMetadata[]
  readonly port?: number
  readonly issuer?: string
  readonly formerIssuers?: readonly string[]
  readonly logger?: Logger
  readonly clock?: Clock
  readonly adapters?: OwnAdapters
  readonly telemetry?: Telemetry
  /** Whether the store is measured, and the telemetry looked at for secrets. Default: yes. */
  readonly measured?: boolean
  /** Runs each request, as an instrumentation of HTTP does. */
  readonly around?: (request: IncomingMessage, run: () => void) => void
  /** Whether requests are one commit each. Default: yes. */
  readonly attach?: boolean
}

let signingKey: Promise<JWK> | undefined

/** One signing key for all OPs of a test run: making an RSA key takes its time. */
export function testSigningKey(): Promise<JWK> {
  signingKey ??= generateKeyPair('RS256', { extractable: true }).then(async ({ privateKey }) => {
    const key = await exportJWK(privateKey)
    leaks.secret(key.d, 'the signing key')
    return { ...key, kid: 'test', use: 'sig' }
  })
  return signingKey
}

/** A confidential client that may do all that the tests want. */
export function testClient(id: string, more: Partial<ClientMetadata> = {}): ClientMetadata {
  return {
    client_id: id,
    client_secret: `secret-of-${Buffer.from(id).toString('hex')}`,
    redirect_uris: ['https://rp.example.com/cb'],
    post_logout_redirect_uris: ['https://rp.example.com/bye'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'client_secret_post',
    ...more,
  }
}

export async function startOp(store: EventStore, options: OpOptions = {}): Promise<Op> {
  const server = createServer()
  const port = await listen(server, options.port ?? 0)
  const issuer = options.issuer ?? `http://127.0.0.1:${port}`
  const op = eventSourced(store, {
    ...(options.plugins && { plugins: options.plugins }),
    logger: checkedLogger(options.logger ?? silent),
    ...((options.measured ?? true) && { telemetry: options.telemetry ?? checkedTelemetry() }),
    ...(options.clock && { clock: options.clock }),
    ...(options.formerIssuers && { formerIssuers: options.formerIssuers }),
    ...(options.adapters && { adapters: options.adapters }),
  })
  for (const { client_secret } of options.clients ?? []) leaks.secret(client_secret, 'a client secret')
  const configuration = await testConfiguration(options)
  const provider = withoutNotices(() => new Provider(issuer, op.configure(configuration)))
  if (options.attach ?? true) await op.start(provider)
  let callback: RequestListener | undefined
  const { around = (_request, run) => run() } = options
  server.on('request', (request, response) => {
    callback ??= provider.callback() // as late as that, so that a test may start it itself
    around(request, () => callback?.(request, response))
  })
  return {
    issuer,
    port,
    provider,
    eventSourced: op,
    async stop() {
      await op.stop()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** What the OPs of the tests have in common. */
export async function testConfiguration(options: Pick<OpOptions, 'clients' | 'configuration'>): Promise<Configuration> {
  return {
    clients: [...(options.clients ?? [testClient('rp')])],
    cookies: { keys: ['cookie signing key of the tests'] },
    jwks: { keys: [{ ...(await testSigningKey()) }] } as NonNullable<Configuration['jwks']>,
    pkce: { required: () => false },
    conformIdTokenClaims: false,
    rotateRefreshToken: true,
    ...options.configuration,
    features: {
      introspection: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      ...options.configuration?.features,
    } as NonNullable<Configuration['features']>,
  }
}

/** oidc-provider says on the console that development features are in use. Tests know. */
export function withoutNotices<T>(make: () => T): T {
  const { info, warn } = console
  console.info = () => {}
  console.warn = () => {}
  try {
    return make()
  } finally {
    console.info = info
    console.warn = warn
  }
}

export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

/** A person with a browser who uses an OP through its development interactions. */
export class Person {
  readonly agent: UserAgent
  readonly #op: { readonly issuer: string }

  constructor(op: { readonly issuer: string }, agent: UserAgent = new UserAgent()) {
    this.#op = op
    this.agent = agent
  }

  authorizationUrl(clientId: string, more: Record<string, string> = {}): string {
    const url = new URL(`${this.#op.issuer}/auth`)
    url.search = new URLSearchParams({
      client_id: clientId,
      response_type: 'code',
      redirect_uri: 'https://rp.example.com/cb',
      scope: 'openid',
      state: 'st',
      ...more,
    }).toString()
    return url.href
  }

  /** Goes to an RP and comes back from the OP, logging in and consenting where asked. Returns what the RP gets. */
  async authorize(
    clientId: string,
    { login = 'alice', ...more }: Record<string, string> = {},
  ): Promise<URLSearchParams> {
    const answer = await this.agent.get(this.authorizationUrl(clientId, more))
    return this.finish(answer, login)
  }

  /** Goes on from any answer of the OP until it sends the browser back to the RP. */
  async finish(answer: Answer, login = 'alice'): Promise<URLSearchParams> {
    let last = await this.agent.follow(answer, (url) => this.#atOp(url))
    for (let steps = 0; steps < 4; steps++) {
      const location = last.headers.get('location')
      if (location && !this.#atOp(new URL(location, last.url).href)) return new URL(location).searchParams
      if (!last.text.includes('name="prompt"'))
        throw new Error(`unexpected answer ${last.status} of ${last.url}: ${last.text.slice(0, 1500)}`)
      last = await this.agent.follow(await this.submit(last, login), (url) => this.#atOp(url))
    }
    throw new Error('the OP never sent the browser back')
  }

  /** Fills in a development interaction. */
  async submit(page: Answer, login = 'alice'): Promise<Answer> {
    leaks.subject(login)
    const action = field(page.text, /action="([^"]+)"/)
    const prompt = field(page.text, /name="prompt" value="([^"]+)"/)
    return this.agent.post(new URL(action, page.url).href, {
      prompt,
      ...(prompt === 'login' && { login, password: 'x' }),
    })
  }

  /** Asks for logout; returns the OP's page with the question. */
  async endSession(more: Record<string, string> = {}): Promise<Answer> {
    const url = new URL(`${this.#op.issuer}/session/end`)
    url.search = new URLSearchParams(more).toString()
    return this.agent.get(url.href)
  }

  /** Answers the question: from everywhere, or from the asking RP alone. */
  async confirm(page: Answer, everywhere = true): Promise<Answer> {
    const action = field(page.text, /action="([^"]+)"/)
    const xsrf = field(page.text, /name="xsrf" value="([^"]+)"/)
    return this.agent.post(new URL(action, page.url).href, { xsrf, ...(everywhere && { logout: 'yes' }) })
  }

  async logout(more: Record<string, string> = {}): Promise<Answer> {
    return this.confirm(await this.endSession(more))
  }

  /** Has a session ended that an ID token names, and that is not this browser's own. */
  async endSessionOf(idToken: string): Promise<Answer> {
    const page = await this.endSession({ id_token_hint: idToken })
    const fields = page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)
    const form = Object.fromEntries([...fields].map(([, name, value]) => [String(name), String(value)]))
    return this.agent.post(field(page.text, /<form id="op.singleSessionForm" method="post" action="([^"]+)"/), form)
  }

  #atOp(url: string): boolean {
    return url.startsWith(this.#op.issuer)
  }
}

/** What a client does at the OP's endpoints, authenticated by its secret, if it has one. */
export class Client {
  readonly #op: { readonly issuer: string }
  readonly #credentials: Record<string, string>

  constructor(op: { readonly issuer: string }, client: ClientMetadata) {
    this.#op = op
    const { client_id, client_secret } = client
    this.#credentials = { client_id, ...(typeof client_secret === 'string' && { client_secret }) }
  }

  token(parameters: Record<string, string>, headers: Record<string, string> = {}): Promise<TokenAnswer> {
    return this.#post('/token', parameters, headers)
  }

  exchange(code: string, more: Record<string, string> = {}): Promise<TokenAnswer> {
    return this.token({ grant_type: 'authorization_code', code, redirect_uri: 'https://rp.example.com/cb', ...more })
  }

  refresh(refreshToken: string): Promise<TokenAnswer> {
    return this.token({ grant_type: 'refresh_token', refresh_token: refreshToken })
  }

  introspect(token: string): Promise<TokenAnswer> {
    return this.#post('/token/introspection', { token })
  }

  revoke(token: string): Promise<TokenAnswer> {
    return this.#post('/token/revocation', { token })
  }

  push(parameters: Record<string, string>): Promise<TokenAnswer> {
    return this.#post('/request', parameters)
  }

  startDevice(parameters: Record<string, string> = { scope: 'openid' }): Promise<TokenAnswer> {
    return this.#post('/device/auth', parameters)
  }

  startCiba(parameters: Record<string, string>): Promise<TokenAnswer> {
    return this.#post('/backchannel', parameters)
  }

  async userinfo(accessToken: string): Promise<TokenAnswer> {
    const response = await fetch(`${this.#op.issuer}/me`, { headers: { authorization: `Bearer ${accessToken}` } })
    return answerOf(response)
  }

  async #post(
    path: string,
    parameters: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<TokenAnswer> {
    const body = new URLSearchParams({ ...this.#credentials, ...parameters })
    return answerOf(await fetch(`${this.#op.issuer}${path}`, { method: 'POST', body, headers }))
  }
}

export interface TokenAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

/** What an endpoint gives to one client alone. */
const SECRETS = [
  ...['access_token', 'refresh_token', 'id_token', 'device_code', 'user_code', 'auth_req_id', 'request_uri'],
  ...['client_secret', 'registration_access_token'],
]

async function answerOf(response: Response): Promise<TokenAnswer> {
  const text = await response.text()
  const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
  for (const name of SECRETS) leaks.secret(body[name], `the ${name} of an answer`)
  return {
    status: response.status,
    headers: response.headers,
    body,
  }
}
