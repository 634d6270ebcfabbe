import { setMaxListeners } from 'node:events'
import type { Clock } from '../../lib/clock.ts'
import { OutcomeUnknownError, StoreRefusedError } from '../../lib/errors.ts'
import type { Appended } from '../../lib/log/commit.ts'
import type { Collections } from './collections.ts'
import { assertNoForeignUniqueIndex } from './foreign-indexes.ts'
import { isDiskFull, isPermanent, type Outcome } from './outcome.ts'
import type { Pending } from './pending.ts'
import { type Placed, type Resolution, resolveOutcomes } from './resolve-outcomes.ts'
import { refusalOfCommit } from './store-errors.ts'

/** The pause before an unknown outcome is looked into again, in milliseconds; doubled each time. */
const RESOLVE_AGAIN_MS = { first: 100, most: 5_000 }

/** Pauses before a commit is sent again that a unique index refused although no claim of it is held, in milliseconds. */
const RETRY_MS: readonly number[] = [0, 5, 20, 50, 100, 200, 500, 1_000]

/** After so many such refusals, a unique index that is not the log's is looked for. */
const SUSPICIOUS_REFUSALS = 5

/** An append that was sent and not acknowledged. */
export interface Unresolved extends Placed {
  readonly outcome: Outcome
}

/** What the resolver works with, and whom it tells what became of an append. */
export interface ResolverParts {
  readonly collections: Collections
  readonly clock: Clock
  /** Called with each position that is settled now. */
  see(position: number): void
  /** It is in the log. */
  acknowledge(pending: Pending, appended: Appended): void
  /** It is not in the log, and will not be. */
  reject(pending: Pending, error: unknown): void
  /** It is not in the log: it may go again, at a new position, if its caller still waits. */
  again(pending: Pending): void
  /**
   * The server has refused, maybe not for the first time, to settle the positions of a batch: see `Resolver.refused`. It was
   * asked at `since`, by the monotonic clock.
   */
  onRefused(error: unknown, since: number): void
}

/** Finds out what became of appends that were not acknowledged: see `resolveOutcomes`. */
export class Resolver {
  readonly #parts: ResolverParts
  readonly #over = new AbortController()
  /**
   * Batches whose positions the server refused to settle when it was asked last, each with what ends its pause; none while
   * the server is asked again. Those whose pause began first stand first.
   */
  readonly #refused = new Map<readonly Unresolved[], AbortController | undefined>()

  constructor(parts: ResolverParts) {
    this.#parts = parts
    setMaxListeners(0, this.#over.signal) // one for each batch that resolves
  }

  /** Nobody goes on with what is unknown by now. */
  stop(): void {
    this.#over.abort()
    this.#endPauses()
  }

  /** Of how many batches the server refuses to settle the positions: its disk is full, or it refuses for good. */
  get refused(): number {
    return this.#refused.size
  }

  /** Has one of those batches find out now whether the server still refuses, unless one is about to. */
  tryAgain(): void {
    const pauses = [...this.#refused.values()]
    if (pauses.every((pause) => pause !== undefined)) pauses[0]?.abort()
  }

  /** Goes on until it is known what became of all of them, or until it is stopped. */
  async resolve(appends: readonly Unresolved[]): Promise<void> {
    try {
      await this.#resolve(appends)
    } finally {
      this.#refused.delete(appends)
    }
  }

  async #resolve(appends: readonly Unresolved[]): Promise<void> {
    const { collections, clock } = this.#parts
    const { signal } = this.#over
    let left = appends
    let pauseMs = RESOLVE_AGAIN_MS.first
    while (!signal.aborted) {
      const since = clock.monotonic()
      try {
        const found = await resolveOutcomes(collections, clock, left, signal)
        this.#refused.delete(appends)
        this.#endPauses() // the server settles positions: those of the others, too
        await this.#conclude(found)
        return
      } catch (error) {
        if (signal.aborted) return
        for (const { pending } of left) pending.failure = error
        left = this.#keepUnresolved(left, error)
        if (left.length === 0) return
        if (isRefusal(error)) await this.#pauseRefused(appends, pauseMs, { error, since })
        else {
          this.#refused.delete(appends)
          await clock.sleep(pauseMs, signal)
        }
      }
      pauseMs = Math.min(RESOLVE_AGAIN_MS.most, 2 * pauseMs)
    }
  }

  async #pauseRefused(
    batch: readonly Unresolved[],
    pauseMs: number,
    { error, since }: { readonly error: unknown; readonly since: number },
  ): Promise<void> {
    const pause = new AbortController()
    this.#refused.delete(batch)
    this.#refused.set(batch, pause)
    this.#parts.onRefused(error, since)
    await this.#parts.clock.sleep(pauseMs, pause.signal)
    this.#refused.set(batch, undefined)
  }

  #endPauses(): void {
    for (const pause of this.#refused.values()) pause?.abort()
  }

  async #conclude(found: ReadonlyMap<Unresolved, Resolution>): Promise<void> {
    const { see, acknowledge, reject } = this.#parts
    const retried: Pending[] = []
    for (const [{ pending, position, outcome }, resolution] of found) {
      see(position)
      if ('appended' in resolution) acknowledge(pending, resolution.appended)
      else if ('error' in resolution) reject(pending, resolution.error)
      else if (outcome.kind === 'refused') reject(pending, refusalOfCommit(outcome.error))
      else {
        pending.sent = false
        if (outcome.kind === 'duplicate') pending.refusals++
        retried.push(pending)
      }
    }
    await this.#retry(retried)
  }

  /**
   * Sends them again, after a pause that grows where a unique index refused them and none of their claims is held. Until
   * then their streams stay busy. Those whose callers were told `OUTCOME_UNKNOWN` are not repeated: their positions are
   * dead, so they were not stored.
   */
  async #retry(appends: readonly Pending[]): Promise<void> {
    const { collections, clock, again } = this.#parts
    const refusals = Math.max(0, ...appends.map((pending) => pending.refusals))
    try {
      if (refusals >= SUSPICIOUS_REFUSALS) await assertNoForeignUniqueIndex(collections)
      const pauseMs = RETRY_MS[Math.min(Math.max(0, refusals - 1), RETRY_MS.length - 1)] as number
      if (pauseMs > 0) await clock.sleep(pauseMs, this.#over.signal)
    } catch (error) {
      for (const pending of appends) if (pending.refusals > 0) pending.reject(error)
    }
    for (const pending of appends) again(pending)
  }

  /**
   * The server does not tell what became of them. Only what it refused in the first place was certainly not stored: for
   * want of rights or of room on its disk, by a rule, or by a unique index that is not the log's. The others stay in
   * flight.
   */
  #keepUnresolved(appends: readonly Unresolved[], error: unknown): readonly Unresolved[] {
    if (!isRefusal(error)) return appends
    const left: Unresolved[] = []
    for (const append of appends) {
      const { kind } = append.outcome
      const wasRefused =
        kind === 'refused' || kind === 'not_tried' || (kind === 'duplicate' && error instanceof StoreRefusedError)
      if (wasRefused) this.#parts.reject(append.pending, refusalOfCommit(error))
      else left.push(append)
    }
    const what = isDiskFull(error) ? 'the disk of the MongoDB server is full' : 'MongoDB refuses to tell'
    const why = new OutcomeUnknownError(what, { cause: error })
    for (const { pending } of left) pending.reject(why)
    return left
  }
}

function isRefusal(error: unknown): boolean {
  return isPermanent(error) || isDiskFull(error)
}
