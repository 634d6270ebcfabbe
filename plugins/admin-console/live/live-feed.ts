import type { Clock, Commit, EventStore, Logger, Timer } from '../../../lib/index.ts'
import { WebError } from '../../../lib/web/web-error.ts'
import type { LiveChanges, LiveHello, LiveTopic, Operation } from '../api/contract.ts'
import { commitRow, topicsOf } from './commit-row.ts'
import { EventStream } from './event-stream.ts'

/** What the log is followed with. */
export interface LiveFeedParts {
  readonly store: Pick<EventStore, 'end' | 'subscribe'>
  readonly clock: Clock
  readonly logger: Logger
  /** Names this process. */
  readonly process: string
}

/** So many browsers listen at a time, and so many of one operator. */
const MOST_STREAMS = 64
const MOST_OF_ONE = 8

/** Changes are told so often at most, in milliseconds. */
const EVERY_MS = 1_000

/** A sign of life to each browser, in milliseconds. */
const BEAT_MS = 15_000

/** So long a stream lasts, in milliseconds: then the application is asked anew who it is. */
const LASTS_MS = 15 * 60_000

/** So long a browser waits before it connects again, and the feed before it follows the log again, in milliseconds. */
const RETRY_MS = 2_000

/** So many commits are told, the newest. */
const MOST_COMMITS = 50

interface Listener {
  readonly stream: EventStream
  readonly name: string
  readonly until: number
}

/** What has come since the browsers were told last. */
interface Unheard {
  readonly topics: Set<LiveTopic>
  commits: readonly Commit[]
  count: number
  readonly operations: Map<string, Operation>
}

/**
 * Tells browsers what happens. While one listens, the log is followed once for all of them; while none does, nothing is
 * read, and no timer runs.
 */
export class LiveFeed {
  readonly #parts: LiveFeedParts
  readonly #listeners = new Set<Listener>()
  #following: AbortController | undefined
  #unheard: Unheard = nothingUnheard()
  #flush: Timer | undefined
  #closed = false

  constructor(parts: LiveFeedParts) {
    this.#parts = parts
  }

  /**
   * The stream of one browser.
   *
   * @param gone - aborts when the browser has gone
   * @throws WebError (`TOO_MANY_STREAMS`, `STOPPING`), and whatever the store throws
   */
  async listen(name: string, gone: AbortSignal): Promise<Response> {
    const { store, clock, process } = this.#parts
    this.#assertRoom(name)
    const stream = new EventStream(() => this.#leave(listener))
    const listener: Listener = { stream, name, until: clock.monotonic() + LASTS_MS }
    // Before anything is waited for: of many who come at once none is one too many.
    this.#listeners.add(listener)
    try {
      const position = await store.end()
      stream.retryAfter(RETRY_MS)
      stream.send('hello', { process, position } satisfies LiveHello)
      if (gone.aborted || this.#closed) stream.end()
      gone.addEventListener('abort', () => stream.end(), { once: true })
      if (this.#listeners.size > 0) this.#follow(position)
      return stream.response
    } catch (error) {
      stream.end()
      throw error
    }
  }

  /** An operation of this process has gone on. */
  operation(operation: Operation): void {
    if (this.#listeners.size === 0) return
    this.#unheard.operations.set(operation.id, operation)
    this.#flushSoon()
  }

  /** How many browsers listen. */
  get listening(): number {
    return this.#listeners.size
  }

  /** Ends all streams, for good. */
  close(): void {
    this.#closed = true
    for (const { stream } of this.#listeners) stream.end()
  }

  #assertRoom(name: string): void {
    if (this.#closed) throw new WebError(503, 'STOPPING', 'the console stops here: try again elsewhere')
    const own = [...this.#listeners].filter((other) => other.name === name).length
    if (this.#listeners.size >= MOST_STREAMS || own >= MOST_OF_ONE)
      throw new WebError(
        429,
        'TOO_MANY_STREAMS',
        `at most ${MOST_STREAMS} pages follow at a time, ${MOST_OF_ONE} of one operator`,
      )
  }

  #leave(listener: Listener): void {
    this.#listeners.delete(listener)
    if (this.#listeners.size > 0) return
    this.#following?.abort()
    this.#following = undefined
    this.#flush?.cancel()
    this.#flush = undefined
    this.#unheard = nothingUnheard()
  }

  #follow(after: number): void {
    if (this.#following) return
    const following = new AbortController()
    this.#following = following
    void this.#run(after, following.signal)
    void this.#beat(following.signal)
  }

  async #run(from: number, signal: AbortSignal): Promise<void> {
    const { store, clock, logger } = this.#parts
    for (let after = from; !signal.aborted; ) {
      try {
        for await (const commits of store.subscribe({ after, signal })) {
          if (signal.aborted) return
          after = commits.at(-1)?.position ?? after
          this.#heard(commits)
        }
        if (!signal.aborted) return this.close() // the store is closed
      } catch (err) {
        if (isClosed(err)) return this.close()
        logger.warn({ event: 'console_feed_interrupted', err }, 'the console cannot follow the log: it tries again')
        await clock.sleep(RETRY_MS, signal)
      }
    }
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts
    for (;;) {
      await clock.sleep(BEAT_MS, signal)
      if (signal.aborted) return
      for (const { stream, until } of [...this.#listeners]) {
        if (clock.monotonic() >= until) stream.end()
        else stream.beat()
      }
    }
  }

  #heard(commits: readonly Commit[]): void {
    const unheard = this.#unheard
    for (const topic of topicsOf(commits)) unheard.topics.add(topic)
    unheard.commits = [...unheard.commits, ...commits].slice(-MOST_COMMITS)
    unheard.count += commits.length
    this.#flushSoon()
  }

  #flushSoon(): void {
    this.#flush ??= this.#parts.clock.setTimeout(() => this.#tell(), EVERY_MS)
  }

  #tell(): void {
    this.#flush = undefined
    const { topics, commits, count, operations } = this.#unheard
    this.#unheard = nothingUnheard()
    const position = commits.at(-1)?.position
    const changes: LiveChanges | undefined =
      position === undefined
        ? undefined
        : { position, topics: [...topics], commits: commits.toReversed().map(commitRow), count }
    for (const { stream } of [...this.#listeners]) {
      if (changes) stream.send('changes', changes)
      for (const operation of operations.values()) stream.send('operation', operation)
    }
  }
}

function nothingUnheard(): Unheard {
  return { topics: new Set(), commits: [], count: 0, operations: new Map() }
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'STORE_CLOSED'
}
