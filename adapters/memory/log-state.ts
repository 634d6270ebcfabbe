import { ConcurrencyError, type EventStoreError } from '../../lib/errors.ts'
import { refusalOf, versionClaim } from '../../lib/log/claims.ts'
import { type Commit, streamsOf } from '../../lib/log/commit.ts'
import type { ReadOptions } from '../../lib/log/event-store.ts'
import { firstVersions, type PreparedCommit } from '../../lib/log/prepare.ts'
import { deepFreeze } from './frozen.ts'
import type { StoredCommit } from './journal.ts'

/**
 * The log in memory. A commit is added when it is decided, so that the next decision takes it into account. It can be
 * read once it is durable.
 */
export class LogState {
  readonly #commits: StoredCommit[] = []
  readonly #byStream = new Map<string, number[]>()
  readonly #claimHolders = new Map<string, StoredCommit>()
  #durable = 0

  /** The highest position that a crash cannot undo. Reads return nothing above it. */
  get durable(): number {
    return this.#durable
  }

  markDurable(position: number): void {
    if (position > this.#durable) this.#durable = position
  }

  /** Checks an append against all earlier ones: the commit to store, or the answer to give instead. */
  decide(prepared: PreparedCommit, at: number): { store: StoredCommit } | { error: EventStoreError } {
    const held = prepared.claims.filter((claim) => this.#claimHolders.has(claim))
    if (held.length > 0) return { error: refusalOf(held) }
    for (const [stream, version] of firstVersions(prepared.events)) {
      if (version > 1 && !this.#claimHolders.has(versionClaim(stream, version - 1)))
        return { error: new ConcurrencyError(stream) }
    }
    const { id, events, meta, expiresAt, claims } = prepared
    return {
      store: {
        position: this.#commits.length + 1,
        id,
        events,
        meta,
        at,
        ...(expiresAt !== undefined && { expiresAt }),
        claims,
      },
    }
  }

  apply(commit: StoredCommit): void {
    deepFreeze(commit.events) // readers share them
    this.#commits.push(commit)
    for (const stream of streamsOf(commit.events)) {
      const positions = this.#byStream.get(stream)
      if (positions) positions.push(commit.position)
      else this.#byStream.set(stream, [commit.position])
    }
    for (const claim of commit.claims) this.#claimHolders.set(claim, commit)
  }

  read(stream: string, options: ReadOptions): Commit[] {
    return this.#positionsOf(stream, options).map((position) => this.#at(position))
  }

  readStreams(streams: readonly string[], options: ReadOptions): Commit[] {
    const positions = new Set(streams.flatMap((stream) => this.#positionsOf(stream, options)))
    const sorted = [...positions].sort(options.direction === 'backwards' ? (a, b) => b - a : (a, b) => a - b)
    return sorted.slice(0, options.limit).map((position) => this.#at(position))
  }

  /** Takes time in proportion to the result, after a binary search in the stream's positions. */
  #positionsOf(
    stream: string,
    { from, direction = 'forwards', limit = Number.POSITIVE_INFINITY }: ReadOptions,
  ): number[] {
    const positions = this.#byStream.get(stream) ?? []
    const forwards = direction === 'forwards'
    const durable = lowerBound(this.#durable + 1, positions)
    const first = forwards ? lowerBound(from ?? 0, positions) : 0
    const end = forwards || from === undefined ? durable : Math.min(durable, lowerBound(from + 1, positions))
    return forwards
      ? positions.slice(first, Math.min(end, first + limit))
      : positions.slice(Math.max(0, end - limit), end).reverse()
  }

  readAll(after: number, limit: number): Commit[] {
    const to = Math.min(this.#durable, after + limit)
    const found: Commit[] = []
    for (let position = after + 1; position <= to; position++) found.push(this.#at(position))
    return found
  }

  #at(position: number): Commit {
    const { claims: _, ...commit } = this.#commits[position - 1] as StoredCommit
    return commit
  }
}

/** The index of the first of the ascending positions that is not below `position`. */
function lowerBound(position: number, positions: readonly number[]): number {
  let low = 0
  let high = positions.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((positions[middle] as number) < position) low = middle + 1
    else high = middle
  }
  return low
}
