import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a module of the stand-in does. It may wait for what arrives at its addresses. */
export type Script = (module: StandInModule) => Promise<string>

interface Arrival {
  readonly path: string
  readonly url: URL
  readonly body: string
}

/** One run of a module: what it wants of the browser, and what has arrived at its addresses. */
export class StandInModule {
  readonly id: string = randomUUID()
  readonly configuration: Record<string, unknown>
  /** Where its addresses begin: `…/test/a/<alias>`. */
  readonly at: string
  status = 'CREATED'
  result: string | undefined
  urls: { url: string; method: string }[] = []
  readonly visited: string[] = []
  readonly images: { readonly upload?: string; img?: string }[] = []
  readonly #arrived: Arrival[] = []
  readonly #waiting: { readonly path: string; readonly resolve: (arrival: Arrival) => void }[] = []

  constructor(configuration: Record<string, unknown>, at: string) {
    this.configuration = configuration
    this.at = at
  }

  /** Has the user's browser go there. */
  browse(url: string, method: 'GET' | 'POST' = 'GET'): void {
    this.status = 'WAITING'
    this.urls.push({ url, method })
  }

  /** The next request to one of its addresses: `callback`. */
  arrival(path: string): Promise<Arrival> {
    const at = this.#arrived.findIndex((one) => one.path === path)
    const [arrived] = at < 0 ? [] : this.#arrived.splice(at, 1)
    return arrived ? Promise.resolve(arrived) : new Promise((resolve) => this.#waiting.push({ path, resolve }))
  }

  receive(arrival: Arrival): void {
    const at = this.#waiting.findIndex(({ path }) => path === arrival.path)
    const [waiting] = at < 0 ? [] : this.#waiting.splice(at, 1)
    if (waiting) waiting.resolve(arrival)
    else this.#arrived.push(arrival)
  }

  async run(script: Script): Promise<void> {
    this.status = 'RUNNING'
    try {
      const result = await script(this)
      this.status = result === 'INTERRUPTED' ? result : 'FINISHED'
      this.result = result
    } catch (error) {
      this.status = 'FINISHED'
      this.result = 'FAILED'
      this.images.push({ img: String(error) })
    }
  }
}

/**
 * A small stand-in for the conformance suite: as much of its HTTP API as a run of a plan uses, with modules that tests
 * write. It shows that the runner works, and nothing about conformance.
 */
export class StandInSuite {
  readonly modules: StandInModule[] = []
  /** Requests to the API: `POST /api/plan`. */
  readonly requests: string[] = []
  /** Answers to the API that are broken: by `POST /api/plan`, a status. */
  readonly broken: Map<string, number> = new Map()
  readonly #scripts: Readonly<Record<string, Script>>
  readonly #server = createServer((request, response) => void this.#answer(request, response))
  #configuration: Record<string, unknown> = {}

  private constructor(scripts: Readonly<Record<string, Script>>) {
    this.#scripts = scripts
  }

  static async start(scripts: Readonly<Record<string, Script>>): Promise<StandInSuite> {
    const suite = new StandInSuite(scripts)
    await new Promise<void>((resolve) => suite.#server.listen(0, '127.0.0.1', resolve))
    return suite
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  module(name: string): StandInModule | undefined {
    return this.modules.find(({ configuration }) => configuration['module'] === name)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.baseUrl)
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const json = (status: number, value: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    }
    if (url.pathname.startsWith('/test/a/')) return this.#arrive(url, body, response)
    const [, , kind = '', first = '', second = '', third = ''] = url.pathname.split('/')
    this.requests.push(`${request.method} ${url.pathname}`)
    const status = this.broken.get(`${request.method} /api/${kind}`)
    if (status !== undefined) return json(status, {})
    const module = this.modules.find(({ id }) => [first, second].includes(id))
    if (kind === 'plan' && request.method === 'POST') {
      this.#configuration = JSON.parse(body) as Record<string, unknown>
      const modules = Object.keys(this.#scripts).map((testModule) => ({
        testModule,
        variant: { response_mode: 'default' },
      }))
      return json(201, { id: 'plan-1', name: url.searchParams.get('planName'), modules })
    }
    if (kind === 'plan') {
      response.writeHead(200, { 'content-type': 'application/zip' }).end('the results')
      return
    }
    if (kind === 'runner' && request.method === 'POST' && first === '') return json(201, { id: this.#run(url) })
    if (module === undefined) return json(404, {})
    if (kind === 'info') return json(200, { status: module.status, result: module.result })
    if (kind === 'log' && third === '') return json(200, module.images)
    if (kind === 'log') {
      const entry = module.images.find(({ upload }) => upload === third)
      if (entry) entry.img = body
      return json(entry ? 200 : 400, {})
    }
    if (request.method === 'DELETE') {
      module.status = 'INTERRUPTED'
      return json(200, {})
    }
    if (first === 'browser' && third === 'visit') {
      const visited = url.searchParams.get('url') ?? ''
      module.urls = module.urls.filter((one) => one.url !== visited)
      module.visited.push(visited)
      response.writeHead(204).end()
      return
    }
    json(200, { id: module.id, browser: { urlsWithMethod: module.urls, visited: module.visited } })
  }

  #run(url: URL): string {
    const name = url.searchParams.get('test') ?? ''
    const script = this.#scripts[name]
    if (script === undefined) throw new Error(`no module ${name}`)
    const at = `${this.baseUrl}/test/a/${String(this.#configuration['alias'])}`
    const module = new StandInModule({ ...this.#configuration, module: name }, at)
    this.modules.push(module)
    void module.run(script)
    return module.id
  }

  /** What comes to a module's addresses is for the one that was started last: they share an alias. */
  #arrive(url: URL, body: string, response: ServerResponse): void {
    const path = url.pathname.split('/').at(-1) ?? ''
    this.modules.at(-1)?.receive({ path, url, body })
    response
      .writeHead(200, { 'content-type': 'text/html' })
      .end('<title>The suite</title><p id="submission_complete">Done')
  }
}
