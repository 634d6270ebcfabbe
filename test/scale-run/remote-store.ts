import { AlreadyClaimedError, ConcurrencyError } from '../../lib/errors.ts'
import type {
  AccountKeyTable,
  Commit,
  ConsumerTable,
  EventStore,
  IndexTable,
  KeyRing,
  LivenessTable,
  RetentionTable,
  WorkTable,
} from '../../lib/index.ts'

/*
 * A store in another process, as a database is: whoever works with it holds none of the log. Asked and answered by IPC,
 * in the order in which it was asked.
 */

/** What a store is asked for: a method of its own, of its consumers, or of a work table. */
export interface StoreCall {
  readonly of:
    | 'store'
    | 'consumers'
    | 'liveness'
    | 'retention'
    | 'accountKeys'
    | { readonly index: string }
    | { readonly table: string }
  readonly method: string
  readonly parameters: readonly unknown[]
}

/** How a call went. */
export type StoreReply =
  | { readonly result: unknown }
  | { readonly failed: { readonly code?: string; readonly message: string; readonly what: string } }

/** Answers for a store to those who are elsewhere. */
export async function answerFor(store: EventStore, call: StoreCall, gone: AbortSignal): Promise<StoreReply> {
  try {
    const { of, method, parameters } = call
    if (method === 'nextBatch') return { result: await nextBatch(store, Number(parameters[0]), gone) }
    const target =
      of === 'store'
        ? store
        : typeof of === 'string'
          ? store[of]
          : 'index' in of
            ? store.index(of.index)
            : store.work(of.table)
    const named = target as unknown as Record<string, (...all: readonly unknown[]) => Promise<unknown>>
    return { result: await named[method]?.(...parameters) }
  } catch (error) {
    const { code, message, mark, stream } = error as Partial<AlreadyClaimedError & ConcurrencyError>
    return { failed: { ...(code !== undefined && { code }), message: String(message), what: mark ?? stream ?? '' } }
  }
}

async function nextBatch(store: EventStore, after: number, signal: AbortSignal): Promise<readonly Commit[]> {
  for await (const commits of store.subscribe({ after, signal })) return commits
  return []
}

/** The store, as it looks to a process that is elsewhere. */
export function remoteStore(keys: KeyRing, ask: (call: StoreCall) => Promise<StoreReply>): EventStore {
  const calling = async (call: StoreCall): Promise<unknown> => {
    const reply = await ask(call)
    if ('result' in reply) return reply.result
    const { code, message, what } = reply.failed
    if (code === 'ALREADY_CLAIMED') throw new AlreadyClaimedError(what)
    if (code === 'CONCURRENCY') throw new ConcurrencyError(what)
    throw new Error(`${code}: ${message}`)
  }
  const methodsOf = (of: StoreCall['of']): object =>
    new Proxy(
      {},
      {
        get: (own: Record<string | symbol, unknown>, method) =>
          own[method] ?? ((...parameters: unknown[]) => calling({ of, method: String(method), parameters })),
        set: () => false,
      },
    )
  const tables = new Map<string, WorkTable>()
  const own = methodsOf('store') as EventStore
  return {
    keys,
    logId: 'remote',
    append: (commit) => own.append(commit),
    latest: (stream) => own.latest(stream),
    read: (stream, options = {}) => own.read(stream, options),
    readStreams: (streams, options) => own.readStreams(streams, options),
    readAll: (options) => own.readAll(options),
    entries: (options) => own.entries(options),
    accountKeys: methodsOf('accountKeys') as AccountKeyTable,
    retention: methodsOf('retention') as RetentionTable,
    end: () => own.end(),
    async *subscribe({ after, signal }) {
      for (let position = after; !signal?.aborted; ) {
        const commits = (await calling({ of: 'store', method: 'nextBatch', parameters: [position] })) as Commit[]
        position = commits.at(-1)?.position ?? position
        if (commits.length > 0 && !signal?.aborted) yield commits
      }
    },
    consumers: methodsOf('consumers') as ConsumerTable,
    liveness: methodsOf('liveness') as LivenessTable,
    work(table) {
      const known = tables.get(table) ?? (methodsOf({ table }) as WorkTable)
      tables.set(table, known)
      return known
    },
    index: (name) => methodsOf({ index: name }) as IndexTable,
    close: async () => {},
  }
}
