import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { DATA_HEADERS, PAGE_HEADERS } from '../../lib/web/page-headers.ts'
import type {
  LiveChanges,
  Me,
  Operation,
  Page,
  ReplayRequest,
  Role,
  TerminateRequest,
} from '../../plugins/admin-console/api/contract.ts'
import type { ConsoleManifest } from '../../scripts/build-console.mjs'
import type { FixtureData, Rows } from './admin-console-data.ts'

/** How the server behaves. `failing`: 500 for all but who is signed in. `signedOut`: 401 for all. */
export type FixtureMood = 'well' | 'failing' | 'signedOut'

export interface FixtureOptions {
  /** Where the built assets are. */
  readonly assets: string
  readonly manifest: ConsoleManifest
  readonly data: FixtureData
  readonly role: Role
  readonly mood?: FixtureMood
}

/** A change that the console asked for. */
export interface FixtureChange {
  readonly method: string
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
}

const BASE = '/ops/console'

/**
 * A server that answers what the console asks with data in the shape of its contract, with the real headers, and keeps
 * nothing: for the browser tests of each screen.
 */
export class FixtureServer {
  readonly changes: FixtureChange[] = []
  /** Paths and queries that were asked for. */
  readonly asked: string[] = []
  mood: FixtureMood
  data: FixtureData
  readonly #options: FixtureOptions
  readonly #server: Server
  readonly #streams = new Set<ServerResponse>()
  readonly #operations = new Map<string, Operation>()

  private constructor(options: FixtureOptions) {
    this.#options = options
    this.mood = options.mood ?? 'well'
    this.data = options.data
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error))
      })
    })
  }

  static async start(options: FixtureOptions): Promise<FixtureServer> {
    const server = new FixtureServer(options)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  /** Where the console is; a path begins with a slash. */
  url(path = '/'): string {
    const { port } = this.#server.address() as AddressInfo
    return `http://127.0.0.1:${port}${BASE}${path}`
  }

  async stop(): Promise<void> {
    this.breakStreams()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** How many browsers follow the stream. */
  get followers(): number {
    return this.#streams.size
  }

  breakStreams(): void {
    for (const stream of this.#streams) stream.destroy()
    this.#streams.clear()
  }

  tellChanges(topics: LiveChanges['topics']): void {
    this.#tell('changes', { position: 2_000_000, topics, commits: [], count: 1 } satisfies LiveChanges)
  }

  #tell(event: string, data: object): void {
    for (const stream of this.#streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fixture')
    if (url.pathname !== BASE && !url.pathname.startsWith(`${BASE}/`)) {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end()
      return
    }
    const path = url.pathname.slice(BASE.length)
    if (path.startsWith('/assets/')) return this.#asset(path.slice('/assets/'.length), response)
    if (path.startsWith('/api/')) return this.#api(request, response, path.slice('/api'.length), url.searchParams)
    response.writeHead(200, { ...PAGE_HEADERS, 'Content-Type': 'text/html; charset=utf-8' }).end(this.#page())
  }

  #page(): string {
    const { script, style, icon } = this.#options.manifest
    return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Admin console</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="base-path" content="${BASE}">
<link rel="icon" href="${BASE}/assets/${icon}"><link rel="stylesheet" href="${BASE}/assets/${style}">
<script type="module" src="${BASE}/assets/${script}"></script></head><body></body></html>`
  }

  async #asset(name: string, response: ServerResponse): Promise<void> {
    const { assets, manifest } = this.#options
    const file = manifest.files[name]
    if (!file) {
      response.writeHead(404).end()
      return
    }
    response.writeHead(200, { 'Content-Type': file.type, 'X-Content-Type-Options': 'nosniff' })
    response.end(await readFile(join(assets, name)))
  }

  async #api(request: IncomingMessage, response: ServerResponse, path: string, query: URLSearchParams): Promise<void> {
    this.asked.push(`${request.method} ${path}?${query}`)
    const { mood } = this
    if (mood === 'signedOut') return fail(response, 401, 'NOT_SIGNED_IN', 'sign in as an operator')
    if (path === '/live') return this.#follow(response)
    if (path === '/me') return send(response, 200, this.#me())
    if (mood === 'failing') return fail(response, 503, 'STORE_UNAVAILABLE', 'the store does not answer: try again')
    if (request.method === 'GET') return this.#look(response, path, query)
    const body = JSON.parse(await textOf(request)) as Record<string, unknown>
    this.changes.push({ method: request.method ?? '', path, body })
    if (this.#options.role === 'viewer' && path !== '/explain')
      return fail(response, 403, 'ROLE_INSUFFICIENT', 'operators alone may do this')
    this.#change(response, path, body)
  }

  #me(): Me {
    return {
      name: 'anna',
      role: this.#options.role,
      issuer: 'https://op.example.com',
      signOutUrl: `${BASE}/sign-out`,
      reasons: ['admin', 'account_disabled', 'account_deleted', 'password_changed', 'signed_out_everywhere'],
      process: 'fixture',
    }
  }

  #look(response: ServerResponse, path: string, query: URLSearchParams): void {
    const { data } = this
    switch (path) {
      case '/overview':
        return send(response, 200, data.overview)
      case '/clients':
        return send(
          response,
          200,
          pageOf(data.clients, query, (row) => row.clientId.includes(query.get('q') ?? '')),
        )
      case '/clients/one':
        return send(response, 200, data.client(query.get('client') ?? ''))
      case '/sessions':
        return send(response, 200, sessionsPage(data, query))
      case '/logouts':
        return send(response, 200, pageOf(data.logouts, query))
      case '/logouts/one':
        return send(response, 200, data.logout(query.get('session') ?? ''))
      case '/dead-letters':
        return send(
          response,
          200,
          pageOf(data.deadLetters, query, (row) => matches(row, query)),
        )
      case '/pending':
        return send(
          response,
          200,
          pageOf(data.pending, query, (row) => matches(row, query)),
        )
      case '/parked':
        return send(response, 200, pageOf(data.parked, query))
      case '/terminations':
        return send(response, 200, pageOf(data.terminations, query))
      case '/features':
        return send(response, 200, { features: data.features })
      case '/log':
        return send(response, 200, pageOf(data.log, query))
      case '/operations':
        return send(response, 200, { process: 'fixture', operations: [...this.#operations.values()] })
      case '/operations/one':
        return this.#operation(response, query.get('id') ?? '')
      case '/export/dead-letters':
      case '/export/pending':
        return send(response, 200, { items: [] })
      default:
        return fail(response, 404, 'NOT_FOUND', 'there is no such thing')
    }
  }

  #change(response: ServerResponse, path: string, body: Readonly<Record<string, unknown>>): void {
    switch (path) {
      case '/operations/terminate':
        return this.#start(response, 'terminate', body as unknown as TerminateRequest)
      case '/operations/replay':
        return this.#start(response, 'replay', body as unknown as ReplayRequest)
      case '/operations/retry-parked':
        return this.#start(response, 'retry_parked', body)
      case '/operations/cancel':
        return this.#cancel(response, String(body['id']))
      case '/clients/one':
        if (JSON.stringify(body).includes('http://'))
          return fail(response, 400, 'FIELD_INVALID', '"changes.backchannel_logout_uri" must be an https URI')
        return send(response, 200, this.data.client(String(body['client'])))
      case '/clients/test':
        return send(response, 200, {
          kind: 'answered',
          status: 400,
          answer: '{"error":"unknown session"}',
          verdict: 'rejected',
          tookMs: 84,
          uri: 'https://portal.example.com/oidc/backchannel-logout',
          sid: 'nobody',
        })
      case '/clients/retry':
        return send(response, 200, { hastened: 12 })
      case '/clients/pause':
      case '/clients/resume':
        return send(response, 200, {})
      case '/features':
        return send(response, 200, { features: this.data.features })
      case '/explain':
        return send(response, 200, {
          model: 'RefreshToken',
          verdict: 'revoked',
          summary: 'Its grant was revoked when the session ended.',
          facts: [
            {
              position: 640,
              at: this.data.now - 7_200_000,
              model: 'RefreshToken',
              what: 'stored',
              beside: ['AccessToken stored'],
            },
            {
              position: 812,
              at: this.data.now - 3_600_000,
              model: 'Grant',
              what: 'revoked',
              reason: 'rp_initiated',
              beside: ['Session destroyed'],
            },
          ],
        })
      default:
        return fail(response, 404, 'NOT_FOUND', 'there is no such thing')
    }
  }

  /** A dry run is over at once; everything else goes on by a quarter each time that it is asked after. */
  #start(response: ServerResponse, kind: Operation['kind'], request: Operation['request']): void {
    const dryRun = 'dryRun' in request && request.dryRun === true
    const total =
      kind === 'terminate' && 'target' in request && 'sessions' in request.target ? request.target.sessions.length : 400
    const operation: Operation = {
      id: `op-${this.#operations.size + 1}`,
      kind,
      dryRun,
      request,
      actor: 'anna',
      startedAt: Date.now(),
      state: 'running',
      cancelling: 'stops',
      progress: { done: 0, of: total },
    }
    this.#operations.set(operation.id, dryRun ? completed(operation, total) : operation)
    send(response, 202, { process: 'fixture', operation: this.#operations.get(operation.id) })
  }

  #operation(response: ServerResponse, id: string): void {
    const operation = this.#operations.get(id)
    if (!operation) return fail(response, 404, 'OPERATION_UNKNOWN', 'this process does not know it')
    if (operation.state === 'running') {
      const { done, of = 0 } = operation.progress
      const further = Math.min(of, done + Math.max(1, of / 4))
      const next = { ...operation, progress: { ...operation.progress, done: further } }
      this.#operations.set(id, further === of ? completed(next, of) : next)
    }
    send(response, 200, { process: 'fixture', operation: this.#operations.get(id) })
  }

  #cancel(response: ServerResponse, id: string): void {
    const operation = this.#operations.get(id)
    if (!operation) return fail(response, 404, 'OPERATION_UNKNOWN', 'this process does not know it')
    const { cancelling: _, ...rest } = operation
    const cancelled: Operation = { ...rest, state: 'cancelled', endedAt: Date.now() }
    this.#operations.set(id, cancelled)
    send(response, 200, { process: 'fixture', operation: cancelled })
  }

  #follow(response: ServerResponse): void {
    response.writeHead(200, { ...DATA_HEADERS, 'Content-Type': 'text/event-stream' })
    response.write(`event: hello\ndata: ${JSON.stringify({ process: 'fixture', position: 1 })}\n\n`)
    this.#streams.add(response)
    response.on('close', () => this.#streams.delete(response))
  }
}

function completed(operation: Operation, total: number): Operation {
  const { cancelling: _, ...rest } = operation
  return {
    ...rest,
    state: 'completed',
    endedAt: Date.now(),
    progress: { done: total, of: total },
    result:
      operation.kind === 'terminate'
        ? { sessions: total, logins: total * 2, grants: total * 2, failed: 0 }
        : operation.kind === 'replay'
          ? { replayed: total }
          : { planned: 2, parked: 1 },
  }
}

/** As much as the real server looks at for one page. */
const MOST_LOOKED_AT = 2_000

function pageOf<T>(rows: Rows<T>, query: URLSearchParams, isWanted: (row: T) => boolean = () => true): Page<T> {
  const limit = Number(query.get('limit') ?? 50)
  const first = Number(query.get('cursor') ?? 0)
  const items: T[] = []
  let index = first
  for (; index < rows.length && items.length < limit && index - first < MOST_LOOKED_AT; index += 1) {
    const row = rows.row(index)
    if (isWanted(row)) items.push(row)
  }
  return { items, looked: index - first, ...(index < rows.length && { next: String(index) }) }
}

function sessionsPage(data: FixtureData, query: URLSearchParams): Page<unknown> {
  const [account, client] = [query.get('account'), query.get('client')]
  return pageOf(data.sessions, query, ({ accountId, logins }) => {
    if (account !== null) return accountId === account
    return client === null || logins.some(({ clientId }) => clientId === client)
  })
}

function matches(row: { readonly clientId: string }, query: URLSearchParams): boolean {
  const [q, client] = [query.get('q'), query.get('client')]
  if (client !== null && row.clientId !== client) return false
  return q === null || JSON.stringify(row).includes(q)
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { ...DATA_HEADERS, 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}

function fail(response: ServerResponse, status: number, code: string, message: string): void {
  send(response, status, { error: { code, message } })
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}
