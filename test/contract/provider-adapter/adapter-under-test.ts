import {
  type AdapterFactory,
  type Clock,
  type EventSourced,
  type EventStore,
  eventSourced,
  KeyRing,
  type Keys,
  type RequestContext,
  systemClock,
} from '../../../lib/index.ts'
import { SteeredStore } from '../../support/steered-store.ts'

/** A log that the adapter is put on. */
export interface LogUnderTest {
  /** Opens it. Closed before it is opened again. */
  open(keys: Keys): Promise<EventStore>
  /** Removes every trace of it. Its stores are closed by then. */
  remove(): Promise<void>
}

export type MakeLog = () => Promise<LogUnderTest>

export interface Capabilities {
  /** What was written is there after `close()` and `open()`, and so are the names of its keys. */
  readonly kept: boolean
  /** How often a property is tried with random values. */
  readonly propertyRuns: number
  /** How often a thief tries to outrun a revocation. */
  readonly thiefTries: number
}

/** How calls reach the adapter. */
export interface Caller {
  readonly name: string
  /**
   * Runs the calls: each on its own, or all as one request of the provider. Rejects with Refused when the request was
   * refused or must be repeated.
   */
  run<T>(calls: (adapter: AdapterFactory) => Promise<T>): Promise<T>
}

/** What a request was answered with instead of what it did. */
export class Refused extends Error {
  readonly status: number
  /** The error's name, or where the browser is sent. */
  readonly error: string
  constructor(status: number, error: string) {
    super(`${status} ${error}`)
    this.status = status
    this.error = error
  }
}

/** Every call is a commit of its own: application code, outside of the provider's requests. */
export function alone(store: EventStore, clock: Clock = systemClock): Caller {
  const { op } = attachment(store, clock, others)
  return {
    name: 'each call alone',
    async run(calls) {
      try {
        return await calls(op.adapter)
      } catch (error) {
        const { status, error: code } = error as { status?: number; error?: string }
        if (status === undefined || code === undefined) throw error
        throw new Refused(status, code)
      }
    },
  }
}

/** The name of a caller whose calls are one request. */
export const IN_REQUESTS = 'a request, one commit'

/** All calls of a `run` are one request of an attached provider, and so one commit. */
export function inRequests(store: EventStore, originalUrl = '/token'): Caller {
  const { op, middleware } = attached(store)
  return {
    name: IN_REQUESTS,
    async run(calls) {
      const ctx = Object.assign(new FakeContext(), { originalUrl })
      let result: { readonly value: Awaited<ReturnType<typeof calls>> } | undefined
      await middleware(ctx, async () => {
        result = { value: await calls(op.adapter) }
      })
      if (ctx.status !== 404)
        throw new Refused(
          ctx.status,
          (ctx.body as { error?: string } | undefined)?.error ?? String(ctx.response.headers['location']),
        )
      if (!result) throw new Error('the request never ran')
      return result.value
    },
  }
}

/** One for each store: what is remembered of a store is remembered between the calls. */
const attachments = new WeakMap<EventStore, Attachment>()
/** Those of application code, which is in none of the requests above. */
const others = new WeakMap<EventStore, Attachment>()

interface Attachment {
  readonly op: EventSourced
  readonly middleware: Middleware
}

type Middleware = (ctx: RequestContext, next: () => Promise<unknown>) => Promise<void>

/** An attached provider's middleware, and its adapter. */
export function attached(store: EventStore): Attachment {
  return attachment(store, systemClock, attachments)
}

function attachment(store: EventStore, clock: Clock, known: WeakMap<EventStore, Attachment>): Attachment {
  const before = known.get(store)
  if (before) return before
  const op = eventSourced(store, { clock })
  let middleware: Middleware | undefined
  void op.start({
    issuer: 'https://op.example.com',
    use: (one: Middleware) => {
      middleware = one
    },
    Client: { find: async () => undefined, adapter: op.adapter('Client') },
    Session: class {},
  })
  if (!middleware) throw new Error('start() gave the provider no middleware')
  const made = { op, middleware }
  known.set(store, made)
  return made
}

/** As much of a Koa context as the middleware looks at. Like Koa's, its status is 404 until somebody answers. */
export class FakeContext implements RequestContext {
  method = 'POST'
  originalUrl = '/token'
  status = 404
  body: unknown
  readonly headers: RequestContext['headers'] = {}
  readonly headerSent = false
  readonly writable = true
  readonly response: { headers: Record<string, string | string[]> } = { headers: {} }
  readonly oidc: NonNullable<RequestContext['oidc']> = { route: 'token' }

  set(field: string, value: string | string[]): void {
    this.response.headers[field.toLowerCase()] = value
  }

  remove(field: string): void {
    delete this.response.headers[field.toLowerCase()]
  }

  redirect(url: string): void {
    this.set('Location', url)
    this.status = 302
  }
}

export const KEYS: Keys = keysNamed(['s1'], ['h1'])

/** Keys with these ids. The same id is the same key. */
export function keysNamed(sealing: readonly string[], hashing: readonly string[]): Keys {
  const key = (kind: string) => (id: string) => ({ id, secret: Buffer.alloc(32, `${kind} ${id}`) })
  return { sealing: sealing.map(key('sealing')), hashing: hashing.map(key('hashing')) }
}

/** The same log as a process with other keys has it. */
export function withKeys(store: EventStore, keys: Keys): SteeredStore {
  return new SteeredStore(store, new KeyRing(keys))
}

/** A store for the tests of a `describe`, opened before them and removed after them. */
export function openedStore(makeLog: MakeLog): { readonly store: SteeredStore } {
  let log: LogUnderTest | undefined
  let store: SteeredStore | undefined
  before('open a log', async () => {
    log = await makeLog()
    store = new SteeredStore(await log.open(KEYS))
  })
  afterEach('let go of the store', () => {
    if (store) store.beforeAppend = store.beforeRead = undefined
  })
  after('remove the log', async () => {
    await store?.close()
    await log?.remove()
  })
  return {
    get store() {
      if (!store) throw new Error('the log is not open yet')
      return store
    },
  }
}

/** Runs the suite once for each way in which calls reach the adapter. */
export function forEachCaller(
  title: string,
  makeLog: MakeLog,
  suite: (caller: Caller, opened: { readonly store: SteeredStore }) => void,
): void {
  for (const make of [alone, inRequests]) {
    const named = make(withoutStore)
    describe(`${title} (${named.name})`, () => {
      const opened = openedStore(makeLog)
      suite({ name: named.name, run: (calls) => make(opened.store).run(calls) }, opened)
    })
  }
}

const withoutStore = { append: () => Promise.reject(new Error('no store')) } as unknown as EventStore
