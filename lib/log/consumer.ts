import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '../clock.ts'
import {
  CheckpointAheadError,
  ConsumerStoppedError,
  LeaseLostError,
  OptionInvalidError,
  OutcomeUnknownError,
  StoreClosedError,
  StoreRefusedError,
  StoreUnavailableError,
} from '../errors.ts'
import { inTime } from '../in-time.ts'
import { assertKnownOptions } from '../known-options.ts'
import { componentLogger, consoleLogger, type Logger } from '../logger.ts'
import type { Commit } from './commit.ts'
import type { ConsumerRecord } from './consumer-table.ts'
import type { EventStore } from './event-store.ts'
import { Heartbeat, type Member } from './heartbeat.ts'

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
  /**
   * A holder whose sign of life stands still for so long, in milliseconds on the taker's clock, is taken for dead. One
   * that makes no progress for twice as long gives the lease up. Default: 10 s.
   */
  readonly leaseMs?: number
  /** Shows that this process lives. Default: one of its own; give one to all that hold leases or work in a process. */
  readonly heartbeat?: Heartbeat
}

/** Where parked commits are kept: a work table, so that they can be listed and done again. */
export const PARKED = 'parked'

/** Parked work is never due by itself. */
const NEVER = Number.MAX_SAFE_INTEGER

const LEASE_MS = 10_000
const TRIES = 10

/** At most so many commits are handled between two checkpoints; fewer where handling them takes long. */
const SLICE = 500

/** Who makes no progress for so many leases gives the lease up. */
const STUCK_LEASES = 2

/** It then leaves the lease to others for as long as a lease, twice as long each time, up to so many doublings. */
const MOST_DOUBLINGS = 5

/**
 * A named consumer of the log: one process at a time, from where the last one got to, each commit at least once.
 *
 * It *waits* until the lease is free or its holder's sign of life stood still; *takes* it, which raises the fencing token
 * and tells the checkpoint; then *follows* the log from there. The checkpoint moves after the effects. A holder that was
 * paused and wakes up finds its token outdated: its checkpoint changes nothing, and it waits again. A holder that makes no
 * progress, because its handler hangs or what is in the log does not reach it, gives the lease up, says so, and waits
 * until its handler has returned.
 */
export class Consumer {
  readonly #options: ConsumerOptions & { readonly clock: Clock; readonly logger: Logger }
  readonly #holder = randomBytes(9).toString('base64url')
  readonly #heartbeat: Heartbeat
  readonly #member: Member
  #stopping = new AbortController()
  #running: Promise<void> | undefined
  #isHolder = false
  #failure: ConsumerStoppedError | CheckpointAheadError | undefined
  /** Interruptions since something was handled last. */
  #interruptions = 0
  /** How often it gave the lease up since something was handled last, because it made no progress. */
  #stuck = 0
  /** When it made progress last, by the monotonic clock; undefined while it does not hold the lease. */
  #progressAt: number | undefined
  /** Whether the handler is at work: then nothing but its return is progress. */
  #isHandling = false
  /** Up to where everything has been handled. */
  #position = 0
  /** How many commits are handled between two checkpoints. */
  #slice = SLICE

  /** @throws OptionInvalidError (`OPTION_INVALID`) */
  constructor(options: ConsumerOptions) {
    assertOptions(options)
    const { logger: given = consoleLogger } = options
    this.#options = { clock: systemClock, ...options, logger: componentLogger(given, 'consumer') }
    const { store, clock, logger, heartbeat, leaseMs } = this.#options
    this.#heartbeat = heartbeat ?? new Heartbeat({ store, clock, logger })
    this.#member = {
      holder: this.#holder,
      ...(leaseMs !== undefined && { leaseMs }),
      isWell: () => !this.#isStuck(),
    }
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
   * Makes the consumer, if it is new, and starts it; again, where it was stopped.
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
    const stopping = new AbortController()
    this.#stopping = stopping
    this.#failure = undefined
    await this.#options.store.consumers.ensure(this.#options.name, from)
    await this.#heartbeat.join(this.#member)
    this.#running = this.#run(stopping.signal)
  }

  /**
   * Stops it and gives the lease up. Resolves when the handler has returned, or has not for `leaseMs`: then the logger is
   * told. Idempotent.
   */
  async stop(): Promise<void> {
    const { clock, logger, name } = this.#options
    this.#stopping.abort()
    const running = this.#running
    if (running === undefined) return
    if (!(await inTime(running, clock, this.#leaseMs)))
      logger.error(
        { event: 'consumer_not_stopped', consumer: name },
        'a consumer could not be stopped in time: its handler or the store does not answer',
      )
    if (this.#running !== running) return
    this.#running = undefined
    // Where the store is away others see that its sign of life stands still.
    await this.#heartbeat.leave(this.#member).catch(() => undefined)
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, logger, name } = this.#options
    while (!signal.aborted && !this.#failure) {
      try {
        const lease = await this.#acquire(signal)
        if (lease) await this.#hold(lease, signal)
      } catch (error) {
        if (error instanceof ConsumerStoppedError || error instanceof CheckpointAheadError) {
          this.#failure = error
          logger.error(
            { event: 'consumer_stopped', err: error, consumer: name },
            'a consumer of the log has stopped; it starts again with the process',
          )
          return
        }
        if (signal.aborted) return
        if (this.#interruptions++ === 0)
          logger.warn(
            { event: 'consumer_interrupted', err: error, consumer: name },
            'a consumer of the log was interrupted; it goes on trying',
          )
        await clock.sleep(Math.min(5_000, 50 * 2 ** this.#interruptions), signal)
      }
    }
  }

  /** Waits for the lease. Undefined: stopped meanwhile. */
  async #acquire(signal: AbortSignal): Promise<ConsumerRecord | undefined> {
    const { store, name, clock } = this.#options
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
      if (
        now.holder === undefined ||
        now.holder === this.#holder ||
        this.#stoodStillMs(now.holder, since) >= this.#leaseMs
      ) {
        const taken = await store.consumers.take(seen, this.#holder)
        if (taken) return taken
        seen = undefined
      } else await this.#wait(now.holder, since, signal)
    }
    return undefined
  }

  /** Until the holder's lease may be free, or somebody else may have it: the record is not read again and again. */
  async #wait(holder: string, since: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const began = clock.monotonic()
    const wasKnown = this.#heartbeat.knows(holder)
    do await clock.sleep(this.#leaseMs / 10, signal)
    while (
      !signal.aborted &&
      this.#heartbeat.knows(holder) === wasKnown &&
      this.#stoodStillMs(holder, since) < this.#leaseMs &&
      clock.monotonic() - began < this.#leaseMs
    )
  }

  #stoodStillMs(holder: string, since: number): number {
    const readMs = this.#options.clock.monotonic() - since
    return Math.min(readMs, this.#heartbeat.stoodStillMs(holder) ?? readMs)
  }

  async #hold(lease: ConsumerRecord, signal: AbortSignal): Promise<void> {
    const { store, name, logger, clock } = this.#options
    const lost = new AbortController()
    const end = (): void => lost.abort()
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end() // stopped while it took the lease
    this.#position = lease.position
    this.#isHolder = true
    this.#progress()
    const following = this.#follow(lease, lost.signal)
    const watched = new AbortController()
    try {
      const stuck = this.#untilStuck(watched.signal)
      if ((await Promise.race([following.then(() => 'ended'), stuck])) !== 'stuck') return
      logger.error(
        { event: 'consumer_stuck', consumer: name, position: this.#position, handling: this.#isHandling },
        this.#isHandling
          ? 'the handler of a consumer does not return: it gives its lease up, so that another process can go on'
          : 'a consumer gets nothing of what is in the log: it gives its lease up, so that another process can go on',
      )
      this.#slice = Math.max(1, Math.floor(this.#slice / 8))
      lost.abort()
      this.#isHolder = false
      await store.consumers.release(name, lease.token).catch(() => undefined)
      await following.catch(() => undefined)
      // Others first: what is wrong here may be right there.
      await clock.sleep(this.#leaseMs * 2 ** Math.min(this.#stuck++, MOST_DOUBLINGS), signal)
    } finally {
      this.#isHolder = false
      watched.abort()
      lost.abort()
      this.#progressAt = undefined
      signal.removeEventListener('abort', end)
      await store.consumers.release(name, lease.token).catch(() => undefined)
    }
  }

  /** Resolves when there was no progress for too long. Having nothing to do, seen in the log itself, is progress as well. */
  async #untilStuck(signal: AbortSignal): Promise<'stuck' | 'watched'> {
    const { store, clock } = this.#options
    while (!signal.aborted) {
      await clock.sleep(this.#leaseMs / 2, signal)
      if (signal.aborted) break
      if (this.#isStuck()) return 'stuck'
      if (this.#isHandling || this.#standsStillMs() < this.#leaseMs) continue
      const unread = await store.readAll({ after: this.#position, limit: 1 }).catch(() => undefined)
      if (unread?.length === 0) this.#progress()
    }
    return 'watched'
  }

  async #follow({ position, token }: ConsumerRecord, signal: AbortSignal): Promise<void> {
    const { store, name } = this.#options
    for await (const commits of store.subscribe({ after: position, signal })) {
      for (let from = 0; from < commits.length; ) {
        const slice = commits.slice(from, from + this.#slice)
        await this.#handleInTime(slice, signal)
        if (signal.aborted) return
        const last = slice.at(-1)
        if (last && !(await store.consumers.checkpoint(name, token, last.position))) throw new LeaseLostError(name)
        this.#position = last?.position ?? this.#position
        this.#progress()
        this.#interruptions = 0
        this.#stuck = 0
        from += slice.length
      }
    }
  }

  /** Handles the commits, and learns how many may be handled at a time. */
  async #handleInTime(commits: readonly Commit[], signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const began = clock.monotonic()
    this.#progress()
    this.#isHandling = true
    try {
      await this.#handle(commits, signal)
    } finally {
      this.#isHandling = false
    }
    if (clock.monotonic() - began < this.#leaseMs / 2) this.#slice = Math.min(SLICE, this.#slice * 2)
  }

  #progress(): void {
    this.#progressAt = this.#options.clock.monotonic()
  }

  #standsStillMs(): number {
    return this.#progressAt === undefined ? 0 : this.#options.clock.monotonic() - this.#progressAt
  }

  #isStuck(): boolean {
    return this.#standsStillMs() >= STUCK_LEASES * this.#leaseMs
  }

  get #leaseMs(): number {
    return this.#options.leaseMs ?? LEASE_MS
  }

  /** A batch that fails is handled one by one, so that it shows which commit it is. */
  async #handle(commits: readonly Commit[], signal: AbortSignal): Promise<void> {
    try {
      await this.#options.handle(commits)
    } catch (error) {
      if (isStoreUnavailable(error)) throw error
      this.#options.logger.warn(
        { event: 'batch_not_handled', err: error, consumer: this.#options.name },
        'a batch could not be handled and is tried commit by commit',
      )
      for (const commit of commits) {
        await this.#retryUntilStored(commit, signal)
        this.#progress()
      }
    }
  }

  async #retryUntilStored(commit: Commit, signal: AbortSignal): Promise<void> {
    const { handle, clock, logger, name, tries = TRIES, onFailure = 'stop', store } = this.#options
    let last: unknown
    for (let attempt = 1; attempt <= tries; attempt++) {
      if (signal.aborted) return
      try {
        return await handle([commit])
      } catch (error) {
        if (isStoreUnavailable(error)) throw error
        last = error
        this.#progress() // it fails, and says so: it does not hang
        logger.warn(
          { event: 'commit_not_handled', err: error, consumer: name, position: commit.position, attempt },
          'a commit could not be handled',
        )
        if (attempt < tries) await clock.sleep(Math.min(10_000, 50 * 2 ** attempt), signal)
      }
    }
    if (onFailure === 'stop') throw new ConsumerStoppedError(name, commit.position, { cause: last })
    const why = last instanceof Error ? last.message : String(last)
    logger.error(
      { event: 'consumer_parked_commit', err: last, consumer: name, position: commit.position },
      'a commit is parked',
    )
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

/**
 * The store is away, or takes nothing (a full disk, rights that are missing): that says nothing about the commit, which
 * comes again when the store is back.
 */
function isStoreUnavailable(error: unknown): boolean {
  return (
    error instanceof StoreUnavailableError ||
    error instanceof StoreClosedError ||
    error instanceof StoreRefusedError ||
    error instanceof OutcomeUnknownError
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
  'heartbeat',
])

function assertOptions(options: ConsumerOptions): void {
  const { store, name, handle, onFailure } = options
  assertKnownOptions(options, OPTIONS)
  if (typeof store?.subscribe !== 'function') throw new OptionInvalidError('store', 'must be an EventStore')
  if (typeof name !== 'string' || name === '') throw new OptionInvalidError('name', 'must be text')
  if (typeof handle !== 'function') throw new OptionInvalidError('handle', 'must be a function that takes commits')
  if (onFailure !== undefined && onFailure !== 'stop' && onFailure !== 'park') {
    throw new OptionInvalidError('onFailure', "must be 'stop' or 'park'")
  }
}
