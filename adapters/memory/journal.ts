import type { Commit } from '../../lib/log/commit.ts'
import type { ConsumerRecord } from '../../lib/log/consumer-table.ts'
import type { IndexEntry } from '../../lib/log/index-table.ts'
import type { Work } from '../../lib/log/work-table.ts'

/** A commit with the fields that only the store uses. */
export interface StoredCommit extends Commit {
  readonly claims: readonly string[]
}

/** One change of the store's state. The state is the fold of a journal's entries. */
export type Entry =
  | { readonly kind: 'commit'; readonly commit: StoredCommit }
  | { readonly kind: 'consumer'; readonly record: ConsumerRecord }
  | { readonly kind: 'work'; readonly table: string; readonly work: Work }
  | { readonly kind: 'work_removed'; readonly table: string; readonly id: string }
  | { readonly kind: 'indexed'; readonly index: string; readonly entry: IndexEntry }
  | { readonly kind: 'unindexed'; readonly index: string; readonly id: string }
  | { readonly kind: 'keys'; readonly fingerprints: KeyFingerprints }

/** What a store remembers of the keys that it was written with. */
export interface KeyFingerprints {
  /** Those that hashed last. */
  readonly hashing: readonly string[]
  /** Each that was the first to seal, and is not retired. */
  readonly sealing: readonly string[]
}

/** Persistent storage for the changes of a memory store. */
export interface Journal {
  /** Stores the entries as one batch: all or none. Resolves when they are durable. Not called again after a rejection. */
  write(entries: readonly Entry[]): Promise<void>
  /** How long callers wait for a write at most, in milliseconds; it goes on behind. Absent: a write takes no time. */
  readonly maxWriteMs?: number
  close(): Promise<void>
}

/** Stores nothing. */
export const noJournal: Journal = {
  async write() {},
  async close() {},
}
