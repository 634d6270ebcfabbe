import type { Commit } from './commit.ts'

/** What is at a position of the log, as the store has it. For who verifies it: everybody else reads commits. */
export type LogEntry =
  | {
      readonly kind: 'commit'
      readonly position: number
      readonly commit: Commit
      /** The streams by which the store finds it. */
      readonly streams: readonly string[]
      /** The claims that it holds, as they are stored: see `encodeClaim`. */
      readonly claims: readonly string[]
    }
  /** A position that will never hold a commit. */
  | { readonly kind: 'tombstone'; readonly position: number }
  /** No process with the log's keys has stored this here. */
  | { readonly kind: 'forged'; readonly position: number }
  /** A newer version of this package has stored it. */
  | { readonly kind: 'newer'; readonly position: number; readonly id: string }
