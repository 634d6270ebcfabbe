import type { Commit } from '../../lib/log/commit.ts'
import type { ConsumerRecord } from '../../lib/log/consumer-table.ts'
import type { IndexEntry } from '../../lib/log/index-table.ts'
import type { Work } from '../../lib/log/work-table.ts'

/** A commit with what only the store needs to know of it. */
export interface StoredCommit extends Commit {
  readonly claims: readonly string[]
  readonly contentHash?: string
}

/** One change of the store's state. A journal is a list of these, and the state is their fold. */
export type Entry =
  | { readonly kind: 'commit'; readonly commit: StoredCommit }
  | { readonly kind: 'consumer'; readonly record: ConsumerRecord }
  | { readonly kind: 'work'; readonly table: string; readonly work: Work }
  | { readonly kind: 'work_removed'; readonly table: string; readonly id: string }
  | { readonly kind: 'indexed'; readonly index: string; readonly entry: IndexEntry }
  | { readonly kind: 'unindexed'; readonly index: string; readonly id: string }
  | { readonly kind: 'hashing_keys'; readonly fingerprints: readonly string[] }

/** Where a memory store's changes are kept, if anywhere. */
export interface Journal {
  /** Resolves when the entries are durable. A journal that rejected once is not used again. */
  write(entries: readonly Entry[]): Promise<void>
  close(): Promise<void>
}

/** Keeps nothing. */
export const forgetful: Journal = {
  async write() {},
  async close() {},
}
