import { randomBytes } from 'node:crypto'
import { type Clock, systemClock, type Timer } from '../clock.ts'
import {
  CheckpointAheadError,
  ConsumerStoppedError,
  LeaseLostError,
  OptionInvalidError,
  OutcomeUnknownError,
  StoreClosedError,
  StoreUnavailableError,
} from '../errors.ts'
import { type Logger, silent } from '../logger.ts'
import type { Commit } from './commit.ts'
import type { ConsumerRecord } from './consumer-table.ts'
import type { EventStore } from './event-store.ts'

/** How a named consumer follows the log. */
export interface ConsumerOptions {
  readonly store: EventStore
  readonly name: string
  /** Default: the machine's. */
  readonly clock?: Clock
  /** Default: nobody is told. */
  readonly logger?: Logger
  /**
   * Called with each batch, in order. Its effects must be such that doing them twice does no harm: after a crash the
   * batch comes again.
   */
  readonly handle: (commits: readonly Commit[]) => Promise<void>
  /** What becomes of a commit whose handling fails again and again. `park` records it, and goes on. Default: `stop`. */
  readonly onFailure?: 'stop' | 'park'
  /** How often a failing commit is tried. Default: 10. */
  readonly tries?: number
  /** A holder whose beat stands still for so long, in milliseconds on the taker's clock, is taken for dead. Default: 10 s. */
  readonly leaseMs?: number
}

/** Where parked commits are kept: a work table, so that they can be listed and done again. */
export const PARKED = 'parked'

/** Parked work is never due by itself. */
const NEVER = Number.MAX_SAFE_INTEGER

const LEASE_MS = 10_000
const TRIES = 10

/**
 * A named consumer of the log: one process at a time, from where the last one got to, each commit at least once.
 *
 * It *waits* until the lease is free or its holder's beat stood still; *takes* it, which raises the fencing token and
 * tells the checkpoint; then *follows* the log from there. The checkpoint moves after the effects. A holder that was
 * paused and wakes up finds its token outdated: its checkpoint changes nothing, and it waits again.
 */
export class Consumer {
  readonly #options: ConsumerOptions & { readonly clock: Clock; readonly logger: Logger }
  readonly #holder = randomBytes(9).toString('base64url')
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined
  #isHolder = false
  #failure: ConsumerStoppedError | CheckpointAheadError | undefined
  /** Interruptions since something was handled last. */
  #interruptions = 0

  /** @throws OptionInvalidError (`OPTION_INVALID`) */
  constructor(options: ConsumerOptions) {
    assertOptions(options)
    this.#options = { clock: systemClock, logger: silent, ...options }
  }

  /** Why it stopped by itself, if it did. */
  get failure(): ConsumerStoppedError | CheckpointAheadError | undefined {
    return this.#failure
  }

  /** Whether this process has the lease and follows the log, as far as it knows. */
  get isHolder(): boolean {
    return this.#isHolder
  }

  /**
   * Makes the consumer, if it is new, and starts it.
   *
   * @param from - the position that a new consumer starts after
   * @throws CheckpointAheadError (`CHECKPOINT_AHEAD`): the log ends before it, or before the consumer's checkpoint
   */
  async start(from: number): Promise<void> {
    if (!Number.isSafeInteger(from) || from < 0) {
      throw new OptionInvalidError(
        'from',
        'must be a position: 0 for the whole log, `await store.end()` for what comes',
      )
    }
    if (this.#running !== undefined) return
    await this.#options.store.consumers.ensure(this.#options.name, from)
    this.#running = this.#run()
  }

  /** Stops it and gives the lease up. Resolves when the handler has returned. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const { clock, logger, name } = this.#options
    while (!signal.aborted && !this.#failure) {
      try {
        const lease = await this.#acquire(signal)
        if (lease) await this.#hold(lease)
      } catch (error) {
        if (error instanceof ConsumerStoppedError || error instanceof CheckpointAheadError) {
          this.#failure = error
          logger.error(
            { err: error, consumer: name },
            'a consumer of the log has stopped; it starts again with the process',
          )
          return
        }
        if (signal.aborted) return
        if (this.#interruptions++ === 0)
          logger.warn({ err: error, consumer: name }, 'a consumer of the log was interrupted; it goes on trying')
        await clock.sleep(Math.min(5_000, 50 * 2 ** this.#interruptions), signal)
      }
    }
  }

  /** Waits for the lease. Undefined: stopped meanwhile. */
  async #acquire(signal: AbortSignal): Promise<ConsumerRecord | undefined> {
    const { store, name, clock, leaseMs = LEASE_MS } = this.#options
    let seen: ConsumerRecord | undefined
    let since = 0
    while (!signal.aborted) {
      const now = await store.consumers.get(name)
      if (!now) throw new LeaseLostError(name)
      if (!seen || now.beat !== seen.beat || now.token !== seen.token || now.holder !== seen.holder) {
        seen = now
        since = clock.monotonic()
      }
      // Its own lease is one that it could not give back while the store was away.
      if (now.holder === undefined || now.holder === this.#holder || clock.monotonic() - since >= leaseMs) {
        const taken = await store.consumers.take(seen, this.#holder)
        if (taken) return taken
        seen = undefined
      } else await clock.sleep(leaseMs / 10, signal)
    }
    return undefined
  }

  async #hold(lease: ConsumerRecord): Promise<void> {
    const { store, name } = this.#options
    const lost = new AbortController()
    const end = (): void => lost.abort()
    this.#stopping.signal.addEventListener('abort', end, { once: true })
    if (this.#stopping.signal.aborted) end() // stopped while it took the lease
    const beating = this.#beat(lease, lost)
    this.#isHolder = true
    try {
      await this.#follow(lease, lost.signal)
    } finally {
      this.#isHolder = false
      lost.abort()
      beating.cancel()
      this.#stopping.signal.removeEventListener('abort', end)
      await store.consumers.release(name, lease.token).catch(() => undefined)
    }
  }

  /** Shows, a few times within the lease, that this process lives. */
  #beat({ token }: ConsumerRecord, lost: AbortController): Timer {
    const { store, name, clock, leaseMs = LEASE_MS } = this.#options
    let timer: Timer
    const beat = async (): Promise<void> => {
      const held = await store.consumers.beat(name, token).catch(() => true)
      if (!held) lost.abort()
      else if (!lost.signal.aborted) timer = clock.setTimeout(() => void beat(), leaseMs / 5)
    }
    timer = clock.setTimeout(() => void beat(), leaseMs / 5)
    return { cancel: () => timer.cancel() }
  }

  async #follow({ position, token }: ConsumerRecord, signal: AbortSignal): Promise<void> {
    const { store, name } = this.#options
    for await (const commits of store.subscribe({ after: position, signal })) {
      await this.#handle(commits, signal)
      if (signal.aborted) return
      const last = commits.at(-1)
      if (last && !(await store.consumers.checkpoint(name, token, last.position))) throw new LeaseLostError(name)
      this.#interruptions = 0
    }
  }

  /** A batch that fails is handled one by one, so that it shows which commit it is. */
  async #handle(commits: readonly Commit[], signal: AbortSignal): Promise<void> {
    try {
      await this.#options.handle(commits)
    } catch (error) {
      if (isAway(error)) throw error
      this.#options.logger.warn(
        { err: error, consumer: this.#options.name },
        'a batch could not be handled and is tried commit by commit',
      )
      for (const commit of commits) await this.#insist(commit, signal)
    }
  }

  async #insist(commit: Commit, signal: AbortSignal): Promise<void> {
    const { handle, clock, logger, name, tries = TRIES, onFailure = 'stop', store } = this.#options
    let last: unknown
    for (let attempt = 1; attempt <= tries; attempt++) {
      if (signal.aborted) return
      try {
        return await handle([commit])
      } catch (error) {
        if (isAway(error)) throw error
        last = error
        logger.warn({ err: error, consumer: name, position: commit.position, attempt }, 'a commit could not be handled')
        if (attempt < tries) await clock.sleep(Math.min(10_000, 50 * 2 ** attempt), signal)
      }
    }
    if (onFailure === 'stop') throw new ConsumerStoppedError(name, commit.position, { cause: last })
    const why = last instanceof Error ? last.message : String(last)
    logger.error({ err: last, consumer: name, position: commit.position }, 'a commit is parked')
    await store.work(PARKED).add([
      {
        id: `${name}@${commit.position}`,
        lane: name,
        dueAt: NEVER,
        body: { consumer: name, position: commit.position, why },
      },
    ])
  }
}

/** The store is away: that says nothing about the commit, which comes again when the store is back. */
function isAway(error: unknown): boolean {
  return (
    error instanceof StoreUnavailableError || error instanceof StoreClosedError || error instanceof OutcomeUnknownError
  )
}

const OPTIONS: ReadonlySet<string> = new Set([
  'store',
  'name',
  'clock',
  'logger',
  'handle',
  'onFailure',
  'tries',
  'leaseMs',
])

function assertOptions(options: ConsumerOptions): void {
  const { store, name, handle, onFailure } = options
  for (const option of Object.keys(options)) {
    if (!OPTIONS.has(option)) throw new OptionInvalidError(option, `is not known; known are ${[...OPTIONS].join(', ')}`)
  }
  if (typeof store?.subscribe !== 'function') throw new OptionInvalidError('store', 'must be an EventStore')
  if (typeof name !== 'string' || name === '') throw new OptionInvalidError('name', 'must be text')
  if (typeof handle !== 'function') throw new OptionInvalidError('handle', 'must be a function that takes commits')
  if (onFailure !== undefined && onFailure !== 'stop' && onFailure !== 'park') {
    throw new OptionInvalidError('onFailure', "must be 'stop' or 'park'")
  }
}
