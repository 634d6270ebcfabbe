import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { Agent, fetch, type Response } from 'undici'

/** How long the suite may take for an answer, in milliseconds, and for the export of a plan. */
const ANSWER_MS = 20_000
const EXPORT_MS = 300_000

/** So much of an answer is read, and of an export: a suite that is none must not fill memory or disk. */
const ANSWER_BYTES = 16 * 1024 * 1024
const EXPORT_BYTES = 512 * 1024 * 1024

export type Variant = Readonly<Record<string, string>>

/** A module of a plan: the same one may be there several times, with other variants. */
export interface PlannedModule {
  readonly testModule: string
  readonly variant?: Variant
}

/** A page that the suite wants the user's browser to visit. */
export interface PageToVisit {
  readonly url: string
  readonly method: 'GET' | 'POST'
}

/** What the suite says of a module that runs. `result` comes with the end. */
export interface ModuleState {
  readonly status: string
  readonly result?: string
}

/** The suite does not answer, or not as its API does. */
export class SuiteError extends Error {}

/** The HTTP API of the OpenID Foundation's conformance suite, as far as running a plan needs it. */
export class SuiteApi {
  readonly #baseUrl: string
  readonly #token: string | undefined
  readonly #agent: Agent

  /**
   * @param token - for a suite that asks who one is: made at its page "Token management"
   * @param trustsAnyCertificate - the suite that one builds oneself has a certificate that it made itself
   */
  constructor(options: { readonly baseUrl: string; readonly token?: string; readonly trustsAnyCertificate?: boolean }) {
    this.#baseUrl = options.baseUrl.replace(/\/$/, '')
    this.#token = options.token
    this.#agent = new Agent({ connect: { rejectUnauthorized: options.trustsAnyCertificate !== true } })
  }

  close(): Promise<void> {
    return this.#agent.destroy()
  }

  async createPlan(
    planName: string,
    configuration: object,
    variant: Variant,
  ): Promise<{ id: string; modules: PlannedModule[] }> {
    const query = { planName, ...(Object.keys(variant).length > 0 && { variant: JSON.stringify(variant) }) }
    const { id, modules } = await this.#json('POST', '/api/plan', query, { expected: 201, body: configuration })
    if (!Array.isArray(modules)) throw new SuiteError('a plan without modules')
    return { id: textOf(id, 'id'), modules: modules.map(plannedModule) }
  }

  /** Starts a module. */
  async createModule(plan: string, { testModule, variant }: PlannedModule): Promise<string> {
    const query = { test: testModule, plan, ...(variant && { variant: JSON.stringify(variant) }) }
    const { id } = await this.#json('POST', '/api/runner', query, { expected: 201 })
    return textOf(id, 'id')
  }

  async state(module: string): Promise<ModuleState> {
    const { status, result } = await this.#json('GET', `/api/info/${encodeURIComponent(module)}`)
    return { status: textOf(status, 'status'), ...(typeof result === 'string' && { result }) }
  }

  /** Pages that no automation of the suite's own takes, and that were not visited yet. */
  async pagesToVisit(module: string): Promise<PageToVisit[]> {
    const { browser } = await this.#json('GET', `/api/runner/${encodeURIComponent(module)}`)
    const pages = (browser as { readonly urlsWithMethod?: unknown } | undefined)?.urlsWithMethod
    return Array.isArray(pages) ? pages.map(pageToVisit) : []
  }

  async visited(module: string, { url }: PageToVisit): Promise<void> {
    await this.#send('POST', `/api/runner/browser/${encodeURIComponent(module)}/visit`, { url }, { expected: 204 })
  }

  async cancel(module: string): Promise<void> {
    await this.#send('DELETE', `/api/runner/${encodeURIComponent(module)}`, {}, { expected: 200 })
  }

  /** Places in the log of a module where a screenshot is still wanted. */
  async openPlaceholders(module: string): Promise<string[]> {
    const entries = await this.#json('GET', `/api/log/${encodeURIComponent(module)}/images`)
    if (!Array.isArray(entries)) throw new SuiteError('the images of a module are no list')
    return entries.flatMap(({ upload, img }: { readonly upload?: unknown; readonly img?: unknown }) =>
      typeof upload === 'string' && img === undefined ? [upload] : [],
    )
  }

  /** @param screenshot - `data:image/png;base64,…`, of 500 KB at most */
  async upload(module: string, placeholder: string, screenshot: string): Promise<void> {
    const path = `/api/log/${encodeURIComponent(module)}/images/${encodeURIComponent(placeholder)}`
    await this.#send('POST', path, {}, { expected: 200, text: screenshot })
  }

  /** Stores the results of a plan, logs and images included, and returns where. */
  async exportTo(plan: string, folder: string): Promise<string> {
    const path = `/api/plan/exporthtml/${encodeURIComponent(plan)}`
    const response = await this.#send('GET', path, {}, { expected: 200, accept: 'application/zip', limitMs: EXPORT_MS })
    const file = join(folder, `${plan.replaceAll(/[^\w-]/g, '_')}.zip`)
    await pipeline(bodyOf(response), upTo(EXPORT_BYTES), createWriteStream(file))
    return file
  }

  async #json(
    method: string,
    path: string,
    query: Readonly<Record<string, string>> = {},
    options: { readonly expected?: number; readonly body?: object } = {},
  ): Promise<Record<string, unknown>> {
    const { body, expected = 200 } = options
    const text = body && JSON.stringify(body)
    const response = await this.#send(method, path, query, { expected, ...(text !== undefined && { text }) })
    let answer = ''
    for await (const chunk of bodyOf(response).pipe(upTo(ANSWER_BYTES))) answer += String(chunk)
    try {
      return JSON.parse(answer) as Record<string, unknown>
    } catch (cause) {
      throw new SuiteError(`${method} ${path} was answered with no JSON`, { cause })
    }
  }

  async #send(
    method: string,
    path: string,
    query: Readonly<Record<string, string>>,
    options: { readonly expected: number; readonly text?: string; readonly accept?: string; readonly limitMs?: number },
  ): Promise<Response> {
    const { expected, text, accept = 'application/json', limitMs = ANSWER_MS } = options
    const response = await fetch(`${this.#baseUrl}${path}?${new URLSearchParams(query)}`, {
      ...{ method, dispatcher: this.#agent, redirect: 'manual', signal: AbortSignal.timeout(limitMs) },
      headers: {
        ...{ accept, 'content-type': 'application/json' },
        ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
      },
      ...(text !== undefined && { body: text }),
    }).catch((cause: unknown) => {
      throw new SuiteError(`the suite at ${this.#baseUrl} does not answer: ${method} ${path}`, { cause })
    })
    if (response.status === expected) return response
    await response.body?.cancel()
    throw new SuiteError(`${method} ${path} was answered with ${response.status}, not ${expected}`)
  }
}

function bodyOf(response: Response): Readable {
  return response.body ? Readable.fromWeb(response.body as ReadableStream) : Readable.from([])
}

/** Lets so many bytes through, and fails at the next one. */
function upTo(most: number): Transform {
  let bytes = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      bytes += chunk.length
      callback(bytes > most ? new SuiteError(`an answer of more than ${most} bytes`) : null, chunk)
    },
  })
}

function plannedModule(entry: { readonly testModule?: unknown; readonly variant?: unknown }): PlannedModule {
  const { testModule, variant } = entry
  const hasVariant = typeof variant === 'object' && variant !== null
  return { testModule: textOf(testModule, 'testModule'), ...(hasVariant && { variant: variant as Variant }) }
}

function pageToVisit(entry: { readonly url?: unknown; readonly method?: unknown }): PageToVisit {
  return { url: textOf(entry.url, 'url'), method: entry.method === 'POST' ? 'POST' : 'GET' }
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new SuiteError(`the suite gave no ${name}`)
}
