import { StoreUnavailableError } from '../../lib/errors.ts'
import type { Appended, Commit, NewCommit } from '../../lib/log/commit.ts'
import type { ConsumerTable } from '../../lib/log/consumer-table.ts'
import type { EventStore, ReadOptions } from '../../lib/log/event-store.ts'
import type { IndexTable } from '../../lib/log/index-table.ts'
import type { LivenessTable } from '../../lib/log/liveness-table.ts'
import type { WorkTable } from '../../lib/log/work-table.ts'
import type { KeyRing } from '../../lib/secrets/key-ring.ts'

/**
 * A store on a bad network, as a caller meets it who asks again when he is told STORE_UNAVAILABLE. Appends are not
 * repeated: they must come through by themselves.
 */
export class PatientStore implements EventStore {
  readonly #store: EventStore

  constructor(store: EventStore) {
    this.#store = store
  }

  get keys(): KeyRing {
    return this.#store.keys
  }

  get logId(): string {
    return this.#store.logId
  }

  append(commit: NewCommit): Promise<Appended> {
    return this.#store.append(commit)
  }

  latest(stream: string): Promise<Commit | undefined> {
    return patiently(() => this.#store.latest(stream))
  }

  read(stream: string, options?: ReadOptions): Promise<Commit[]> {
    return patiently(() => this.#store.read(stream, options))
  }

  readStreams(streams: readonly string[], options?: ReadOptions): Promise<Commit[]> {
    return patiently(() => this.#store.readStreams(streams, options))
  }

  readAll(options: { readonly after: number; readonly limit: number }): Promise<Commit[]> {
    return patiently(() => this.#store.readAll(options))
  }

  entries(options: Parameters<EventStore['entries']>[0]): ReturnType<EventStore['entries']> {
    return patiently(() => this.#store.entries(options))
  }

  get accountKeys(): EventStore['accountKeys'] {
    return patientTable(this.#store.accountKeys)
  }

  get retention(): EventStore['retention'] {
    return patientTable(this.#store.retention)
  }

  end(): Promise<number> {
    return patiently(() => this.#store.end())
  }

  subscribe(options: { readonly after: number; readonly signal?: AbortSignal }): AsyncIterable<readonly Commit[]> {
    return this.#store.subscribe(options)
  }

  get consumers(): ConsumerTable {
    return patientTable(this.#store.consumers)
  }

  get liveness(): LivenessTable {
    return patientTable(this.#store.liveness)
  }

  work(table: string): WorkTable {
    return patientTable(this.#store.work(table))
  }

  index(name: string): IndexTable {
    return patientTable(this.#store.index(name))
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}

/** Calls until something else is answered than STORE_UNAVAILABLE. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
    }
  }
}

function patientTable<T extends object>(table: T): T {
  return new Proxy(table, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        const given = structuredClone(args) // the caller may change it before it is asked again
        return patiently(() => member.apply(target, given))
      }
    },
  })
}
