import type { Appended, Commit, EventStore, KeyRing, NewCommit, ReadOptions } from '../../lib/index.ts'

/** An event store that a test steers: it counts what goes through, fails when it is told to, and can hold commits back. */
export class SteeredStore implements EventStore {
  readonly #store: EventStore
  /** Other keys than the store was opened with: what another process with its own configuration would have. */
  readonly keys: KeyRing
  /** Commits that were acknowledged, oldest first. */
  readonly commits: (NewCommit & Appended)[] = []
  /** Look-ups of one stream, and of several at once. */
  readonly reads: { readonly kind: 'read' | 'readStreams'; readonly streams: readonly string[] }[] = []
  /** Called before each append; may wait, may throw instead of it. */
  beforeAppend: ((commit: NewCommit) => Promise<void> | void) | undefined
  /** Called before each read; may wait, may throw instead of it. */
  beforeRead: ((streams: readonly string[]) => Promise<void> | void) | undefined

  constructor(store: EventStore, keys: KeyRing = store.keys) {
    this.#store = store
    this.keys = keys
  }

  get logId(): string {
    return this.#store.logId
  }

  async append(commit: NewCommit): Promise<Appended> {
    await this.beforeAppend?.(commit)
    const appended = await this.#store.append(commit)
    this.commits.push({ ...commit, ...appended })
    return appended
  }

  async latest(stream: string): Promise<Commit | undefined> {
    await this.#read('read', [stream])
    return this.#store.latest(stream)
  }

  async read(stream: string, options?: ReadOptions): Promise<Commit[]> {
    await this.#read('read', [stream])
    return this.#store.read(stream, options)
  }

  async readStreams(streams: readonly string[], options?: ReadOptions): Promise<Commit[]> {
    await this.#read('readStreams', streams)
    return this.#store.readStreams(streams, options)
  }

  readAll(options: Parameters<EventStore['readAll']>[0]): Promise<Commit[]> {
    return this.#store.readAll(options)
  }

  entries(options: Parameters<EventStore['entries']>[0]): ReturnType<EventStore['entries']> {
    return this.#store.entries(options)
  }

  get accountKeys(): EventStore['accountKeys'] {
    return this.#store.accountKeys
  }

  get retention(): EventStore['retention'] {
    return this.#store.retention
  }

  end(): Promise<number> {
    return this.#store.end()
  }

  subscribe(options: Parameters<EventStore['subscribe']>[0]): AsyncIterable<readonly Commit[]> {
    return this.#store.subscribe(options)
  }

  get consumers(): EventStore['consumers'] {
    return this.#store.consumers
  }

  get liveness(): EventStore['liveness'] {
    return this.#store.liveness
  }

  work(table: string): ReturnType<EventStore['work']> {
    return this.#store.work(table)
  }

  index(name: string): ReturnType<EventStore['index']> {
    return this.#store.index(name)
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  async #read(kind: 'read' | 'readStreams', streams: readonly string[]): Promise<void> {
    this.reads.push({ kind, streams })
    await this.beforeRead?.(streams)
  }
}

/** Lets nobody through until so many have come; from then on everybody. */
export function barrier(count: number): () => Promise<void> {
  let come = 0
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return () => {
    come += 1
    if (come >= count) open()
    return opened
  }
}

/** `AuthorizationCode consumed`, for each event of the commit: what happened to what, without to which. */
export function eventNames({ events }: Pick<NewCommit, 'events'>): string[] {
  return events.map(({ stream, type }) => `${stream.slice(0, stream.indexOf(':'))} ${type}`)
}
