import type { Commit } from '../log/commit.ts'

/** What is looked up of one thing. */
export interface LookUp {
  /** The names of the thing's stream: one for each hashing key. */
  readonly names: readonly string[]
  /** How many commits are wanted: the newest. */
  readonly wanted: number
  /** With so many commits or fewer a stream is looked up together with others; no less than `wanted`. */
  readonly room: number
}

/** The newest commits of one thing, oldest first: as many as were wanted, or more. */
export interface NewestCommits {
  readonly commits: readonly Commit[]
  /** Whether they are all that there are. */
  readonly complete: boolean
}
