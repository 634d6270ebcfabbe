import { ConcurrencyError, type EventStoreError } from '../../lib/errors.ts'
import { refusalOf, versionClaim } from '../../lib/log/claims.ts'
import type { Commit } from '../../lib/log/commit.ts'
import type { ReadOptions } from '../../lib/log/event-store.ts'
import { firstVersions, type PreparedCommit, SCHEMA_VERSION } from '../../lib/log/prepare.ts'
import type { Commits } from './commits.ts'
import type { StoredCommit } from './journal.ts'
import { NameTable } from './name-table.ts'
import { PositionSet } from './position-set.ts'
import { StreamIndex } from './stream-index.ts'

/** Commits, where they are kept; they may have to be read. */
type Found = Commit[] | Promise<Commit[]>

/**
 * The log of a store: what finds its commits and decides on the next one, in memory; the commits themselves are somebody
 * else's to keep. A commit is added when it is decided, so that the next decision takes it into account. It can be read
 * once it is durable.
 */
export class LogState {
  readonly #commits: Commits
  readonly #streams = new StreamIndex()
  readonly #claims = new NameTable()
  readonly #positions = new PositionSet()
  /** Removed, and still in the tables: they are made anew when these are many. */
  readonly #gone = new Set<number>()
  #last = 0
  #durable = 0

  constructor(commits: Commits) {
    this.#commits = commits
  }

  /** The highest position that a crash cannot undo. Reads return nothing above it. */
  get durable(): number {
    return this.#durable
  }

  /** What was added until now is durable. */
  markDurable(): void {
    this.#durable = this.#last
  }

  /** Nobody finds them any more. Their claims are held until the tables are made anew. */
  remove(positions: readonly number[]): void {
    for (const position of positions) if (position <= this.#last) this.#gone.add(position)
  }

  /** How many commits are in the tables, and how many of them are removed. */
  get size(): { readonly all: number; readonly gone: number } {
    return { all: this.#positions.size, gone: this.#gone.size }
  }

  /** Positions of commits behind this one, the removed ones left out. */
  positionsBehind(after: number, limit: number): number[] {
    return this.#positions.behind(after, limit, this.#durable, this.#gone)
  }

  /** Checks an append against all earlier ones: the commit to store, or the answer to give instead. */
  decide(prepared: PreparedCommit, at: number): { store: StoredCommit } | { error: EventStoreError } {
    const held = prepared.claims.filter((claim) => this.#claims.has(claim))
    if (held.length > 0) return { error: refusalOf(held) }
    for (const [stream, version] of firstVersions(prepared.events)) {
      if (version > 1 && !this.#claims.has(versionClaim(stream, version - 1)))
        return { error: new ConcurrencyError(stream) }
    }
    const { id, events, meta, expiresAt, claims } = prepared
    return {
      store: {
        position: this.#last + 1,
        id,
        events,
        meta,
        at,
        ...(expiresAt !== undefined && { expiresAt }),
        claims,
        ...(SCHEMA_VERSION > 1 && { v: SCHEMA_VERSION }),
      },
    }
  }

  /** @param bytes - what it takes, about */
  add(commit: StoredCommit, bytes: number): void {
    this.#commits.add(commit, bytes)
    this.index(commit)
  }

  /** The same for a commit that is kept already. */
  index({ position, events, claims }: StoredCommit): void {
    this.#last = position
    this.#positions.add(position)
    for (const { stream, also = [] } of events) {
      this.#streams.add(stream, position)
      for (const other of also) this.#streams.add(other, position)
    }
    for (const claim of claims) this.#claims.add(claim)
  }

  read(stream: string, options: ReadOptions): Found {
    return this.#commits.at(this.#streams.positionsOf(stream, options, this.#durable, this.#gone), false)
  }

  readStreams(streams: readonly string[], options: ReadOptions): Found {
    const positions = new Set(
      streams.flatMap((stream) => this.#streams.positionsOf(stream, options, this.#durable, this.#gone)),
    )
    const sorted = [...positions].sort(options.direction === 'backwards' ? (a, b) => b - a : (a, b) => a - b)
    return this.#commits.at(sorted.slice(0, options.limit), false)
  }

  readAll(after: number, limit: number): Found {
    return this.#commits.at(this.positionsBehind(Math.max(0, after), limit), true)
  }
}
