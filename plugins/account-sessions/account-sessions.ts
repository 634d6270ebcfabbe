import {
  componentLogger,
  consoleLogger,
  type Host,
  type Logger,
  type Plugin,
  type SessionObserver,
} from '../../lib/index.ts'
import { Site } from '../../lib/web/site.ts'
import { errorResponse, WebError } from '../../lib/web/web-error.ts'
import { type AccountSessionsOptions, assertOptions } from './options.ts'
import { Wording } from './page/wording.ts'
import { LoginObserver } from './remembered/login-observer.ts'
import { answerApi } from './routes/api.ts'
import { Gate } from './routes/gate.ts'
import { answerPage } from './routes/pages.ts'

/** Where the page is if the application does not say. */
const BASE_PATH = '/account/sessions'

/** What log lines name as their part. */
const COMPONENT = 'account_sessions'

/**
 * My devices and connected apps: a page and an API by which users see and end their own sessions, and take back what they
 * have allowed apps. A plugin for `eventSourced()`, beside back-channel logout, and a site to mount:
 *
 *     const account = accountSessions({ logout, authenticate, login: '/login' })
 *     const op = eventSourced(store, { plugins: [logout, account] })
 *     // …
 *     app.use(account.site.koa)
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function accountSessions<Context>(options: AccountSessionsOptions<Context>): AccountSessions<Context> {
  return new AccountSessions(options)
}

/** The plugin, and the site that is mounted into the application. */
export class AccountSessions<Context> implements Plugin {
  readonly name = 'account_sessions'
  /** Remembers with each session where its login came from. */
  readonly observer: SessionObserver
  /** The page and its API: mounted with `.koa`, `.node`, `.fastify` or `.fetch`. */
  readonly site: Site<Context>
  readonly #observer: LoginObserver
  readonly #options: AccountSessionsOptions<Context>
  readonly #gate: Gate<Context>
  readonly #wording: Wording
  readonly #hidden: ReadonlySet<string>
  #logger: Logger = componentLogger(consoleLogger, COMPONENT)
  #host: Host | undefined

  constructor(options: AccountSessionsOptions<Context>) {
    assertOptions(options)
    this.#options = options
    this.#observer = new LoginObserver(options.describe)
    this.observer = this.#observer
    this.site = new Site<Context>({
      basePath: options.basePath ?? BASE_PATH,
      answer: (request, path, context) => this.#answer(request, path, context),
      unforeseen: (err, { method }, path) =>
        this.#logger.error(
          { event: 'account_sessions_failed', err, method, path },
          'the page of devices and apps could not answer',
        ),
    })
    this.#gate = new Gate(options, `${this.site.basePath}/`)
    this.#wording = new Wording(options)
    this.#hidden = new Set(options.ownClients)
  }

  async start(host: Host): Promise<void> {
    this.#logger = componentLogger(host.logger, COMPONENT)
    this.#observer.attach(host.clock, this.#logger)
    this.#host = host
  }

  async stop(): Promise<void> {
    this.#host = undefined
  }

  async #answer(request: Request, path: string, context: Context): Promise<Response> {
    const { basePath } = this.site
    // Without its slash, relative links of an application's layout would lead elsewhere.
    if (path === '') return new Response(null, { status: 308, headers: { Location: `${basePath}/` } })
    const host = this.#host
    if (!host) return errorResponse(NOT_STARTED)
    const own = { host, logout: this.#options.logout, hidden: this.#hidden }
    const answering = { own, gate: this.#gate, wording: this.#wording }
    if (path === '/api' || path.startsWith('/api/'))
      return answerApi(answering, request, path.slice('/api'.length), context)
    return answerPage({ ...answering, basePath, layout: this.#options.layout }, request, path, context)
  }
}

const NOT_STARTED = new WebError(503, 'PROVIDER_UNFIT', 'the provider is not started yet, or stopping')
