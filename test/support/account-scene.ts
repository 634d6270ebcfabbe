import { createServer, type Server } from 'node:http'
import Koa from 'koa'
import type { ClientMetadata } from 'oidc-provider'
import type { EventStore } from '../../lib/index.ts'
import {
  type AccountSessions,
  type AccountSessionsOptions,
  accountSessions,
} from '../../plugins/account-sessions/index.ts'
import type { FakeClock } from './fake-clock.ts'
import { LogoutScene } from './logout-scene.ts'
import { listen, Person } from './op.ts'
import type { Answer } from './user-agent.ts'

export interface AccountSceneOptions {
  readonly clock?: FakeClock
  readonly store?: EventStore
  readonly account?: Partial<AccountSessionsOptions<Koa.Context>>
  readonly shop?: Partial<ClientMetadata>
}

/** What the API answers. */
export interface ApiAnswer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: a test reads of it what it expects
  readonly body: any
}

/** An OP with two RPs, and the page of devices and apps in a Koa app beside it, which knows users by the OP's cookie. */
export class AccountScene {
  readonly scene: LogoutScene<'shop' | 'mail'>
  readonly account: AccountSessions<Koa.Context>
  readonly origin: string
  readonly #server: Server

  static async start({ clock, store, account: wishes, shop = {} }: AccountSceneOptions = {}): Promise<AccountScene> {
    let account: AccountSessions<Koa.Context> | undefined
    const scene: LogoutScene<'shop' | 'mail'> = await LogoutScene.start(
      {
        shop: { client_name: 'Shop', client_uri: 'https://shop.example.com/', ...shop },
        mail: { client_name: 'Mail' },
      },
      {
        ...(clock && { clock }),
        ...(store && { store }),
        beside: (logout) => {
          account = accountSessions<Koa.Context>({
            logout,
            login: '/login',
            describe: (ctx) => ({ userAgent: String(ctx.headers['user-agent']), ip: '203.0.113.7' }),
            async authenticate(ctx) {
              const session = await scene.op.provider.Session.get(ctx)
              const { accountId, uid, loginTs = 0 } = session
              return accountId === undefined
                ? undefined
                : { accountId, sessionUid: uid, authenticatedAt: loginTs * 1_000 }
            },
            ...wishes,
          })
          return [account]
        },
      },
    )
    if (!account) throw new Error('the scene has made no plugin')
    const app = new Koa()
    app.silent = true // a test that has it fail says so
    app.use(account.site.koa)
    const server = createServer(app.callback())
    return new AccountScene(scene, account, server, `http://127.0.0.1:${await listen(server, 0)}`)
  }

  private constructor(
    scene: LogoutScene<'shop' | 'mail'>,
    account: AccountSessions<Koa.Context>,
    server: Server,
    origin: string,
  ) {
    this.scene = scene
    this.account = account
    this.#server = server
    this.origin = origin
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    await this.scene.stop()
  }

  /** Logs in at RPs, with a browser that nobody used before. */
  async loggedIn(login: string, ...rps: string[]): Promise<Person> {
    const person = new Person(this.scene.op)
    for (const rp of rps) await person.authorize(rp, { login })
    return person
  }

  async uidOf(person: Person): Promise<string> {
    const session = await this.scene.op.provider.Session.find(String(person.agent.cookie('_session')))
    return String(session?.uid)
  }

  async isLoggedIn(person: Person, rp = 'shop'): Promise<boolean> {
    const answer = await person.agent.get(person.authorizationUrl(rp, { prompt: 'none' }))
    return new URL(String(answer.headers.get('location'))).searchParams.get('error') !== 'login_required'
  }

  /** The page, or something below it, as a browser asks for it. */
  async page(
    person: Person | undefined,
    path = '/',
    { form, headers = {} }: { form?: Record<string, string>; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const url = path.startsWith(this.account.site.basePath) ? this.origin + path : this.url(path)
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { ...this.#cookies(person), ...(form && { Origin: this.origin }), ...headers },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    })
    return { status: response.status, headers: response.headers, text: await response.text(), url }
  }

  /** Follows the answer to a form to the page that it leads to. */
  async after(person: Person, { headers }: Answer): Promise<Answer> {
    return this.page(person, String(headers.get('location')))
  }

  async api(person: Person | undefined, path: string, body?: object, headers = {}): Promise<ApiAnswer> {
    const response = await fetch(this.url(`/api${path}`), {
      redirect: 'manual',
      headers: {
        ...this.#cookies(person),
        ...(body && { Origin: this.origin, 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    })
    return { status: response.status, headers: response.headers, body: await response.json() }
  }

  url(path: string): string {
    return `${this.origin}${this.account.site.basePath}${path}`
  }

  #cookies(person: Person | undefined): Record<string, string> {
    const names = ['_session', '_session.sig']
    const cookies = names.flatMap((name) => {
      const value = person?.agent.cookie(name)
      return value === undefined ? [] : [`${name}=${value}`]
    })
    return cookies.length > 0 ? { cookie: cookies.join('; ') } : {}
  }
}
