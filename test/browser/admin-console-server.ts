import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { DATA_HEADERS, PAGE_HEADERS } from '../../lib/web/page-headers.ts'
import type {
  ClientTestAnswer,
  ExplainAnswer,
  LiveChanges,
  Me,
  Operation,
  OperationAnswer,
  Page,
  ReplayRequest,
  RetryClientRequest,
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
  /** So many rows are on a page at most: a server may answer fewer than it is asked for. */
  mostRows = 200
  /** Operations stand still. */
  isStalled = false
  /** Operations are carried out by other processes. */
  isOrdered = false
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
    if (path.startsWith('/assets/')) {
      await this.#asset(path.slice('/assets/'.length), response)
      return
    }
    if (path.startsWith('/api/')) {
      await this.#api(request, response, path.slice('/api'.length), url.searchParams)
      return
    }
    response.writeHead(200, { ...PAGE_HEADERS, 'Content-Type': 'text/html; charset=utf-8' }).end(this.#page())
  }

  #page(): string {
    const { script, style, icon } = this.#options.manifest
    return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Operators’ console</title>
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
    if (path === '/live' && this.mood !== 'signedOut') {
      this.#follow(response)
      return
    }
    const body = request.method === 'GET' ? undefined : (JSON.parse(await textOf(request)) as FixtureChange['body'])
    try {
      this.#assertAnswered(path)
      if (body) this.#note(request.method ?? '', path, body)
      const answer = body ? this.#change(path, body) : this.#look(path, query)
      send(response, path.startsWith('/operations/') && body ? 202 : 200, answer)
    } catch (error) {
      if (!(error instanceof FixtureError)) throw error
      send(response, error.status, { error: { code: error.code, message: error.message } })
    }
  }

  #assertAnswered(path: string): void {
    if (this.mood === 'signedOut') throw new FixtureError(401, 'NOT_SIGNED_IN', 'sign in as an operator')
    if (this.mood === 'failing' && path !== '/me')
      throw new FixtureError(503, 'STORE_UNAVAILABLE', 'the store does not answer: try again')
  }

  #note(method: string, path: string, body: FixtureChange['body']): void {
    this.changes.push({ method, path, body })
    if (this.#options.role === 'viewer' && path !== '/explain')
      throw new FixtureError(403, 'ROLE_INSUFFICIENT', 'operators alone may do this')
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

  #look(path: string, query: URLSearchParams): object {
    const { data, mostRows } = this
    switch (path) {
      case '/me':
        return this.#me()
      case '/overview':
        return data.overview
      case '/clients':
        return pageOf(data.clients, query, mostRows, (row) => row.clientId.includes(query.get('q') ?? ''))
      case '/clients/one':
        return data.client(query.get('client') ?? '')
      case '/sessions':
        return sessionsPage(data, query, mostRows)
      case '/logouts':
        return pageOf(data.logouts, query, mostRows)
      case '/logouts/one':
        return data.logout(query.get('session') ?? '')
      case '/dead-letters':
        return pageOf(data.deadLetters, query, mostRows, (row) => matches(row, query))
      case '/pending':
        return pageOf(data.pending, query, mostRows, (row) => matches(row, query))
      case '/parked':
        return pageOf(data.parked, query, mostRows)
      case '/terminations':
        return pageOf(data.terminations, query, mostRows)
      case '/features':
        return { features: data.features }
      case '/log':
        return pageOf(data.log, query, mostRows)
      case '/operations':
        return { process: 'fixture', operations: [...this.#operations.values()] }
      case '/operations/one':
        return this.#goOn(query.get('id') ?? '')
      case '/export/dead-letters':
      case '/export/pending':
        return { items: [] }
      default:
        throw new FixtureError(404, 'NOT_FOUND', 'there is no such thing')
    }
  }

  #change(path: string, body: FixtureChange['body']): object {
    switch (path) {
      case '/operations/terminate':
        return this.#start('terminate', body as unknown as TerminateRequest)
      case '/operations/replay':
        return this.#start('replay', body as unknown as ReplayRequest)
      case '/operations/retry-client':
        return this.#start('retry_client', body as unknown as RetryClientRequest)
      case '/operations/retry-parked':
        return this.#start('retry_parked', body)
      case '/operations/cancel':
        return this.#cancel(String(body['id']))
      case '/clients/one':
        if (JSON.stringify(body).includes('http://'))
          throw new FixtureError(400, 'FIELD_INVALID', '"changes.backchannel_logout_uri" must be an https URI')
        return this.data.client(String(body['client']))
      case '/clients/test':
        return TEST_ANSWER
      case '/clients/pause':
      case '/clients/resume':
        return {}
      case '/features':
        return { features: this.data.features }
      case '/explain':
        return explanation(this.data.now)
      default:
        throw new FixtureError(404, 'NOT_FOUND', 'there is no such thing')
    }
  }

  /** A dry run is over at once; everything else goes on by a quarter each time that it is asked after. */
  #start(kind: Operation['kind'], request: Operation['request']): OperationAnswer {
    const dryRun = 'dryRun' in request && request.dryRun === true
    const isOfSessions = 'target' in request && 'sessions' in request.target
    const total = isOfSessions ? (request.target as { sessions: readonly string[] }).sessions.length : 400
    const operation: Operation = {
      id: `op-${this.#operations.size + 1}`,
      kind,
      dryRun,
      request,
      actor: 'anna',
      startedAt: Date.now(),
      state: 'running',
      cancelling: this.isOrdered ? 'leaves' : 'stops',
      progress: { done: 0, of: total },
    }
    return this.#keep(dryRun ? completed(operation, total) : operation)
  }

  #goOn(id: string): OperationAnswer {
    const operation = this.#find(id)
    if (operation.state !== 'running' || this.isStalled) return this.#keep(operation)
    const { done, of = 0 } = operation.progress
    const further = Math.min(of, done + Math.max(1, of / 4))
    const next = { ...operation, progress: { ...operation.progress, done: further } }
    return this.#keep(further === of ? completed(next, of) : next)
  }

  #cancel(id: string): OperationAnswer {
    const { cancelling: _, ...rest } = this.#find(id)
    return this.#keep({ ...rest, state: 'cancelled', endedAt: Date.now() })
  }

  #find(id: string): Operation {
    const operation = this.#operations.get(id)
    if (!operation) throw new FixtureError(404, 'OPERATION_UNKNOWN', 'this process does not know it')
    return operation
  }

  #keep(operation: Operation): OperationAnswer {
    this.#operations.set(operation.id, operation)
    return { process: 'fixture', operation }
  }

  #follow(response: ServerResponse): void {
    response.writeHead(200, { ...DATA_HEADERS, 'Content-Type': 'text/event-stream' })
    response.write(`event: hello\ndata: ${JSON.stringify({ process: 'fixture', position: 1 })}\n\n`)
    this.#streams.add(response)
    response.on('close', () => this.#streams.delete(response))
  }
}

/** An answer that is an error. */
class FixtureError extends Error {
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

const TEST_ANSWER: ClientTestAnswer = {
  kind: 'answered',
  status: 400,
  answer: '{"error":"unknown session"}',
  verdict: 'rejected',
  tookMs: 84,
  uri: 'https://portal.example.com/oidc/backchannel-logout',
  sid: 'nobody',
}

function explanation(now: number): ExplainAnswer {
  return {
    model: 'RefreshToken',
    verdict: 'revoked',
    summary: 'Its grant was revoked when the session ended.',
    facts: [
      { position: 640, at: now - 7_200_000, model: 'RefreshToken', what: 'stored', beside: ['AccessToken stored'] },
      {
        position: 812,
        at: now - 3_600_000,
        model: 'Grant',
        what: 'revoked',
        reason: 'rp_initiated',
        beside: ['Session destroyed'],
      },
    ],
  }
}

function completed(operation: Operation, total: number): Operation {
  const { cancelling: _, ...rest } = operation
  return {
    ...rest,
    state: 'completed',
    endedAt: Date.now(),
    progress: { done: total, of: total },
    result: resultOf(operation.kind, total),
  }
}

function resultOf(kind: Operation['kind'], total: number): NonNullable<Operation['result']> {
  switch (kind) {
    case 'terminate':
      return { sessions: total, logins: total * 2, grants: total * 2, failed: 0 }
    case 'replay':
      return { replayed: total }
    case 'retry_client':
      return { hastened: total }
    case 'retry_parked':
      return { planned: 2, parked: 1 }
  }
}

/** As much as the real server looks at for one page. */
const MOST_LOOKED_AT = 2_000

function pageOf<T>(
  rows: Rows<T>,
  query: URLSearchParams,
  mostRows: number,
  isWanted: (row: T) => boolean = () => true,
): Page<T> {
  const limit = Math.min(mostRows, Number(query.get('limit') ?? 50))
  const first = Number(query.get('cursor') ?? 0)
  const items: T[] = []
  let index = first
  for (; index < rows.length && items.length < limit && index - first < MOST_LOOKED_AT; index += 1) {
    const row = rows.row(index)
    if (isWanted(row)) items.push(row)
  }
  return { items, looked: index - first, ...(index < rows.length && { next: String(index) }) }
}

function sessionsPage(data: FixtureData, query: URLSearchParams, mostRows: number): Page<unknown> {
  const [account, client] = [query.get('account'), query.get('client')]
  return pageOf(data.sessions, query, mostRows, ({ accountId, logins }) => {
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

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}
