import type { AccountKeyRecord } from '../../lib/log/account-key-table.ts'
import type { Commit } from '../../lib/log/commit.ts'
import type { ConsumerRecord } from '../../lib/log/consumer-table.ts'
import type { IndexEntry } from '../../lib/log/index-table.ts'
import type { RetentionState } from '../../lib/log/retention-table.ts'
import type { Work } from '../../lib/log/work-table.ts'
import type { Removed } from './retention-table.ts'

/** A commit with the fields that only the store uses. */
export interface StoredCommit extends Commit {
  readonly claims: readonly string[]
  /** The schema version that it was stored in. Absent: 1. */
  readonly v?: number
}

/** One change of the store's state. The state is the fold of a journal's entries. */
export type Entry =
  | { readonly kind: 'commit'; readonly commit: StoredCommit }
  | { readonly kind: 'consumer'; readonly record: ConsumerRecord }
  | { readonly kind: 'consumer_removed'; readonly name: string }
  | { readonly kind: 'work'; readonly table: string; readonly work: Work }
  | { readonly kind: 'work_removed'; readonly table: string; readonly id: string }
  | { readonly kind: 'indexed'; readonly index: string; readonly entry: IndexEntry }
  | { readonly kind: 'unindexed'; readonly index: string; readonly id: string }
  | { readonly kind: 'removed'; readonly removed: Removed }
  | { readonly kind: 'retention'; readonly state: RetentionState }
  | { readonly kind: 'account_key'; readonly record: AccountKeyRecord }
  | { readonly kind: 'account_key_removed'; readonly id: string }
  | { readonly kind: 'keys'; readonly fingerprints: KeyFingerprints }

/** What a store remembers of itself, and of the keys that it was written with. */
export interface KeyFingerprints {
  /** The log's name: see `EventStore.logId`. Absent: it has none yet. */
  readonly log?: string
  /** Those that hashed last. */
  readonly hashing: readonly string[]
  /** Each that was the first to seal, and is not retired. */
  readonly sealing: readonly string[]
}

/** There is no room for a batch on the disk. Nothing of it is stored, and it may be written again. */
export class JournalFullError extends Error {
  override get name(): string {
    return 'JournalFullError'
  }
}

/** Nothing more can be written, and nothing is wrong with the disk. The message says why, and what to do. */
export class JournalUnusableError extends Error {
  override get name(): string {
    return 'JournalUnusableError'
  }
}

/** Persistent storage for the changes of a memory store. */
export interface Journal {
  /**
   * Stores the entries as one batch: all or none. Resolves when they are durable. Not called again after a rejection,
   * unless there was no room.
   *
   * @throws JournalFullError
   */
  write(entries: readonly Entry[]): Promise<void>
  /** Why nothing more can be written. Absent, or undefined: it can. */
  readonly failure?: unknown
  /** How long callers wait for a write at most, in milliseconds; it goes on behind. Absent: a write takes no time. */
  readonly maxWriteMs?: number
  /** What it takes, and what the commits in it do, removed ones too, in bytes. Absent: it takes nothing. */
  readonly size?: { readonly bytes: number; readonly commits: number }
  /** Begins a journal that is to take this one's place. Absent, or undefined: this one cannot be replaced. */
  rewrite?(): Promise<Rewriting | undefined>
  close(): Promise<void>
}

/** A journal that is to take another one's place. */
export interface Rewriting {
  /** As `Journal.write`. */
  write(entries: readonly Entry[]): Promise<void>
  /** What was written is on the disk when it resolves. */
  flush(): Promise<void>
  /** Puts it in the other one's place, for good when it resolves. Nothing else is written meanwhile. */
  finish(): Promise<void>
  /** It is not wanted after all. */
  abandon(): Promise<void>
}

/** Stores nothing. */
export const noJournal: Journal = {
  async write() {},
  async close() {},
}
