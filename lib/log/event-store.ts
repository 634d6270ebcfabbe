import type { KeyRing } from '../secrets/key-ring.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { AccountKeyTable } from './account-key-table.ts'
import type { Appended, Commit, NewCommit } from './commit.ts'
import type { ConsumerTable } from './consumer-table.ts'
import type { Follower, FollowListener } from './follower.ts'
import type { IndexTable } from './index-table.ts'
import type { LivenessTable } from './liveness-table.ts'
import type { LogEntry } from './log-entry.ts'
import type { RetentionTable } from './retention-table.ts'
import type { SegmentTable } from './segment-table.ts'
import type { WorkTable } from './work-table.ts'

/** Where to start, which way and how far to read. */
export interface ReadOptions {
  /** The first position to return. Default: the oldest forwards, the newest backwards. */
  readonly from?: number
  readonly direction?: 'forwards' | 'backwards'
  /** At most so many commits. Default: all. */
  readonly limit?: number
}

/**
 * The log. Whoever implements this passes the suite in `test/contract/event-store.ts`.
 *
 * Every method rejects with StoreClosedError (`STORE_CLOSED`) after `close()`, and with StoreUnavailableError
 * (`STORE_UNAVAILABLE`) when the store cannot be reached.
 */
export interface EventStore {
  /** Hashes ids and seals payloads before they get here; each store is opened with its own. */
  readonly keys: KeyRing

  /** Names the log: another one for each log, and the same for as long as it is kept. Tells nothing of its keys. */
  readonly logId: string

  /**
   * Appends one commit, atomically and durably. Resolves when no crash can undo it.
   *
   * @throws CommitInvalidError, CommitTooLargeError: nothing was queued
   * @throws AlreadyClaimedError, ConcurrencyError: another commit holds a claim; nothing was stored
   * @throws OutcomeUnknownError: it may or may not have been stored
   * @throws StoreRefusedError: nothing was stored, and trying again will not help
   */
  append(commit: NewCommit): Promise<Appended>

  /** The newest commit that names the stream. Sees every append acknowledged before. */
  latest(stream: string): Promise<Commit | undefined>

  /** The commits that name the stream, in order. Sees every append acknowledged before. */
  read(stream: string, options?: ReadOptions): Promise<Commit[]>

  /**
   * The commits that name any of the streams, each once, in order, with one command. Sees every append acknowledged
   * before. The options are about all the streams together.
   */
  readStreams(streams: readonly string[], options?: ReadOptions): Promise<Commit[]>

  /** The log from a position on, in order: commits above `after`, at most `limit`. Holes are not waited for. */
  readAll(options: { readonly after: number; readonly limit: number }): Promise<Commit[]>

  /**
   * What is at the positions above `after`, commits and tombstones alike, as no fail-over can undo it; at most `limit` of
   * them, and nothing for what is missing. What cannot be read is told, not thrown.
   */
  entries(options: { readonly after: number; readonly limit: number }): Promise<LogEntry[]>

  /**
   * The last position of the log. It may be that of a tombstone, which is delivered to nobody: a subscription that was
   * given everything has reached the last commit at or below it.
   */
  end(): Promise<number>

  /**
   * Follows the log: every commit above `after`, each once, in order, none skipped, none before its predecessor, none
   * that a crash could still undo. Yields what is there in batches, waits for more, ends when `signal` aborts or the
   * store closes.
   */
  subscribe(options: { readonly after: number; readonly signal?: AbortSignal }): AsyncIterable<readonly Commit[]>

  /**
   * Follows the log for somebody who keeps streams that he has read. Absent: this store asks nobody else, and keeping what it
   * answers would save next to nothing.
   */
  follow?(listener: FollowListener): Follower

  /** Named consumers: lease and checkpoint. */
  readonly consumers: ConsumerTable

  /** Signs of life of the processes that share the log. */
  readonly liveness: LivenessTable

  /** The keys of accounts, which can be destroyed. */
  readonly accountKeys: AccountKeyTable

  /** Removing what is not needed any more. */
  readonly retention: RetentionTable

  /** A table of work to do, made from the log and rebuildable from it. */
  work(table: string): WorkTable

  /** An index of what lives, made from the log by a consumer and rebuildable from it. */
  index(name: string): IndexTable

  /** What was in the log. Absent: nobody else can write to it. */
  readonly segments?: SegmentTable

  /**
   * Positions at which this process has found what no process with the log's keys has stored: at most a thousand. Absent:
   * nobody else can write to it.
   */
  readonly forged?: ReadonlySet<number>

  /** Where to record what only the store itself knows: how many appends one write settles. Called again, it replaces. */
  measure?(telemetry: Telemetry): void

  /** Waits for what was appended, then closes. Idempotent. */
  close(): Promise<void>
}
