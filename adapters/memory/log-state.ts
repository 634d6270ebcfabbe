import { ConcurrencyError, type EventStoreError } from '../../lib/errors.ts'
import { refusalOf, versionClaim } from '../../lib/log/claims.ts'
import type { Commit } from '../../lib/log/commit.ts'
import type { ReadOptions } from '../../lib/log/event-store.ts'
import { firstVersions, type PreparedCommit } from '../../lib/log/prepare.ts'
import type { Commits } from './commits.ts'
import type { StoredCommit } from './journal.ts'
import { NameTable } from './name-table.ts'
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
      store: { position: this.#last + 1, id, events, meta, at, ...(expiresAt !== undefined && { expiresAt }), claims },
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
    for (const { stream, also = [] } of events) {
      this.#streams.add(stream, position)
      for (const other of also) this.#streams.add(other, position)
    }
    for (const claim of claims) this.#claims.add(claim)
  }

  read(stream: string, options: ReadOptions): Found {
    return this.#commits.at(this.#streams.positionsOf(stream, options, this.#durable), false)
  }

  readStreams(streams: readonly string[], options: ReadOptions): Found {
    const positions = new Set(streams.flatMap((stream) => this.#streams.positionsOf(stream, options, this.#durable)))
    const sorted = [...positions].sort(options.direction === 'backwards' ? (a, b) => b - a : (a, b) => a - b)
    return this.#commits.at(sorted.slice(0, options.limit), false)
  }

  readAll(after: number, limit: number): Found {
    const first = Math.max(0, after) + 1
    const count = Math.max(0, Math.min(this.#durable - first + 1, limit))
    return this.#commits.at(
      Array.from({ length: count }, (_, index) => first + index),
      true,
    )
  }
}
