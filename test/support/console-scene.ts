import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClientMetadata } from 'oidc-provider'
import { type EventStore, silent } from '../../lib/index.ts'
import type { Operation, OperationAnswer } from '../../plugins/admin-console/api/contract.ts'
import {
  type AdminConsole,
  type AdminConsoleOptions,
  adminConsole,
  type Operator,
} from '../../plugins/admin-console/index.ts'
import { type Cast, LogoutScene, type SceneOptions } from './logout-scene.ts'

/** What stands for a framework's request: who has sent it. */
export interface Sender {
  readonly operator: Operator | undefined
}

export const ORIGIN = 'https://op.example.com'

/** Two operators who differ in what they may do. */
export const VERA: Sender = { operator: { name: 'vera', role: 'viewer' } }
export const OLGA: Sender = { operator: { name: 'olga', role: 'operator' } }
export const NOBODY: Sender = { operator: undefined }

/** An answer of the console, read. */
export interface Told<T> {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: T
}

/** A folder as the build leaves it behind, with next to nothing in it. */
export class BuiltAssets {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'console-assets-'))

  constructor() {
    const files = { 'console-1.js': 'text/javascript; charset=utf-8', 'console-2.css': 'text/css; charset=utf-8' }
    const manifest = { script: 'console-1.js', style: 'console-2.css', icon: 'icon-3.svg' }
    const all = { ...files, 'icon-3.svg': 'image/svg+xml' }
    for (const name of Object.keys(all)) writeFileSync(join(this.folder, name), `/* ${name} */`)
    const described = Object.fromEntries(Object.entries(all).map(([name, type]) => [name, { type }]))
    writeFileSync(join(this.folder, 'manifest.json'), JSON.stringify({ ...manifest, files: described }))
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export interface ConsoleSceneOptions extends SceneOptions {
  readonly console?: Partial<AdminConsoleOptions<Sender>>
  readonly stored?: readonly ClientMetadata[]
}

/** An OP with RPs, and the console of its operators. */
export class ConsoleScene<Id extends string> {
  readonly scene: LogoutScene<Id>
  readonly site: AdminConsole<Sender>
  readonly #assets: BuiltAssets

  static async start<Id extends string>(
    cast: Cast<Id>,
    { console: wishes, stored = [], ...options }: ConsoleSceneOptions = {},
  ): Promise<ConsoleScene<Id>> {
    const scene = await LogoutScene.start(cast, options)
    for (const client of stored) await scene.op.eventSourced.adapter('Client').upsert(client.client_id, client as never)
    const assets = new BuiltAssets()
    const site = adminConsole<Sender>({
      op: scene.op.eventSourced,
      logout: scene.logout,
      store: scene.store,
      authorize: ({ operator }) => operator,
      assets: assets.folder,
      logger: silent,
      ...(options.clock && { clock: options.clock }),
      ...wishes,
    })
    return new ConsoleScene(scene, site, assets)
  }

  private constructor(scene: LogoutScene<Id>, site: AdminConsole<Sender>, assets: BuiltAssets) {
    this.scene = scene
    this.site = site
    this.#assets = assets
  }

  get store(): EventStore {
    return this.scene.store
  }

  async stop(): Promise<void> {
    this.site.close()
    await this.scene.stop()
    this.#assets.remove()
  }

  /** What a page of the console asks. */
  get<T>(path: string, query: Readonly<Record<string, string | number>> = {}, who: Sender = OLGA): Promise<Told<T>> {
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) search.set(name, String(value))
    return this.ask<T>('GET', `${path}${search.size > 0 ? `?${search}` : ''}`, who)
  }

  post<T>(path: string, body: object, who: Sender = OLGA): Promise<Told<T>> {
    return this.ask<T>('POST', path, who, body)
  }

  async ask<T>(method: string, path: string, who: Sender, body?: unknown): Promise<Told<T>> {
    const response = await this.fetch(`/admin/api${path}`, who, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get('Content-Type')?.startsWith('application/json') && text !== ''
    return { status: response.status, headers: response.headers, text, body: (isJson ? JSON.parse(text) : {}) as T }
  }

  async fetch(path: string, who: Sender, init: RequestInit = {}): Promise<Response> {
    const headers = { 'Sec-Fetch-Site': 'same-origin', 'Content-Type': 'application/json', ...init.headers }
    const response = await this.site.fetch(new Request(new URL(path, ORIGIN), { ...init, headers }), who)
    if (!response) throw new Error(`${path} is not of the console`)
    return response
  }

  /** Resolves when an operation is over. */
  async over(id: string): Promise<Operation> {
    for (;;) {
      const { body } = await this.get<OperationAnswer>('/operations/one', { id })
      if (body.operation.state !== 'running') return body.operation
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async operate(path: string, body: object): Promise<Operation> {
    const answer = await this.post<OperationAnswer>(path, body)
    if (answer.status !== 202) throw new Error(`${answer.status}: ${answer.text}`)
    return this.over(answer.body.operation.id)
  }
}
