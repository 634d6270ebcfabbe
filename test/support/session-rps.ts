import { createServer, type RequestListener, type Server } from 'node:http'
import express from 'express'
import session, { MemoryStore } from 'express-session'
import Koa from 'koa'
import koaSession, { type CreateSessionOptions } from 'koa-session'
import {
  backChannelLogoutReceiver,
  expressSessionCheck,
  type IdTokenClaims,
  koaSessionCheck,
  type LoggedOutSessions,
  type LogoutRequestOptions,
  logoutRequestHandler,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { listen } from './op.ts'
import type { UserAgent } from './user-agent.ts'

/** Sessions as an RP's processes share them. */
export interface SharedSessions {
  /** The ids of the sessions that are stored. */
  ids(): string[]
}

/**
 * The address of an RP that knows who is logged in and counts their visits. Behind it are its processes, of which one
 * at a time gets the requests.
 */
export class SessionSite {
  readonly url: string
  readonly #server: Server
  /** The process that gets the requests. */
  process: RequestListener

  static async start(process: RequestListener): Promise<SessionSite> {
    const server = createServer((request, response) => site.process(request, response))
    const site = new SessionSite(server, `http://127.0.0.1:${await listen(server, 0)}`, process)
    return site
  }

  private constructor(server: Server, url: string, process: RequestListener) {
    this.#server = server
    this.url = url
    this.process = process
  }

  /** As the RP's callback does at the end of a login. */
  async login(agent: UserAgent, claims: IdTokenClaims): Promise<void> {
    const parameters = new URLSearchParams({ claims: JSON.stringify(claims) })
    const { status, text } = await agent.get(`${this.url}/callback?${parameters}`)
    if (status !== 200) throw new Error(`the login failed: ${status} ${text}`)
  }

  /** Who is logged in, and how many visits this session has seen; the status when the page cannot be shown. */
  async visit(agent: UserAgent, path = '/'): Promise<string> {
    const { status, text } = await agent.get(`${this.url}${path}`)
    return status === 200 ? text : `${status}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

export interface SessionRpOptions {
  readonly sessions: LoggedOutSessions
  readonly receiver: Omit<LogoutRequestOptions, 'onLogout'>
  /** What a request to `/slow` waits for, after its session was checked. */
  readonly slow?: () => Promise<void>
}

/** A kind of RP: makes what its processes share, and a process. */
export interface SessionRpKind {
  readonly name: string
  readonly stored: boolean
  share(): SharedSessions
  process(shared: SharedSessions, options: SessionRpOptions): RequestListener
}

interface AppSession {
  user?: string
  visits?: number
}

function visited(held: AppSession): string {
  held.visits = (held.visits ?? 0) + 1
  return `${held.user ?? 'nobody'} ${held.visits}`
}

function claimsIn(url: string): IdTokenClaims {
  return JSON.parse(new URL(url, 'http://rp').searchParams.get('claims') ?? '') as IdTokenClaims
}

class KoaStore implements SharedSessions {
  readonly #kept = new Map<string, string>()

  ids(): string[] {
    return [...this.#kept.keys()]
  }

  async get(key: string): Promise<unknown> {
    return JSON.parse(this.#kept.get(key) ?? 'null')
  }

  async set(key: string, value: unknown): Promise<void> {
    this.#kept.set(key, JSON.stringify(value))
  }

  async destroy(key: string): Promise<void> {
    this.#kept.delete(key)
  }
}

function koa(name: string, optionsOf: ((store: KoaStore) => CreateSessionOptions) | undefined): SessionRpKind {
  return {
    name,
    stored: optionsOf !== undefined,
    share: () => new KoaStore(),
    process(shared, { sessions, receiver, slow }) {
      const app = new Koa()
      app.silent = true
      app.keys = ['the cookie key of the tests']
      app.use(backChannelLogoutReceiver({ ...receiver, onLogout: sessions.onLogout, path: '/backchannel-logout' }))
      app.use(koaSession({ ...optionsOf?.(shared as KoaStore) }, app))
      app.use(koaSessionCheck(sessions))
      app.use(async (ctx) => {
        const held = ctx.session as unknown as AppSession
        if (ctx.path === '/callback') {
          const claims = claimsIn(ctx.url)
          sessions.onLogin(held, claims)
          Object.assign(held, { user: claims.sub, visits: 0 })
        }
        if (ctx.path === '/slow') await slow?.()
        ctx.body = visited(held)
      })
      return app.callback()
    },
  }
}

/** One is made for each request. */
function contextStore(store: KoaStore): new () => Pick<KoaStore, 'get' | 'set' | 'destroy'> {
  return class {
    get(key: string): Promise<unknown> {
      return store.get(key)
    }

    set(key: string, value: unknown): Promise<void> {
      return store.set(key, value)
    }

    destroy(key: string): Promise<void> {
      return store.destroy(key)
    }
  }
}

class ExpressStore extends MemoryStore implements SharedSessions {
  ids(): string[] {
    return Object.keys((this as unknown as { sessions: object }).sessions)
  }
}

const expressWithSessions: SessionRpKind = {
  name: 'Express with express-session',
  stored: true,
  share: () => new ExpressStore(),
  process(shared, { sessions, receiver, slow }) {
    const app = express()
    const handleLogoutRequest = logoutRequestHandler({ ...receiver, onLogout: sessions.onLogout })
    app.all('/backchannel-logout', async (req, res) => {
      const { status, headers, body } = await handleLogoutRequest({
        method: req.method,
        contentType: req.headers['content-type'],
        body: req,
      })
      res.status(status).set(headers).send(body)
    })
    const secret = 'the cookie secret of the tests'
    app.use(session({ store: shared as ExpressStore, secret, resave: true, saveUninitialized: false }))
    app.use(expressSessionCheck(sessions))
    app.get('/callback', (req, _res, next) => {
      const claims = claimsIn(req.url)
      sessions.onLogin(req.session, claims)
      Object.assign(req.session, { user: claims.sub, visits: 0 })
      next()
    })
    app.get('/slow', (_req, _res, next) => {
      void Promise.resolve(slow?.()).then(() => next())
    })
    app.use((req, res) => {
      res.send(visited(req.session as AppSession))
    })
    app.use((_error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
      res.status(500).send('failed')
    })
    return app
  },
}

export const sessionRpKinds: readonly SessionRpKind[] = [
  koa('Koa with koa-session in an external store', (store) => ({ store, rolling: true })),
  koa('Koa with koa-session in a ContextStore', (store) => ({ ContextStore: contextStore(store) })),
  koa('Koa with koa-session in a cookie', undefined),
  expressWithSessions,
]
