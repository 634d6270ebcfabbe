import type { Commit } from '../../lib/log/commit.ts'
import { deepFreeze } from './frozen.ts'
import type { StoredCommit } from './journal.ts'

/** Where the commits of a log are kept, by position. Positions begin with 1 and have no gap. */
export interface Commits {
  /**
   * A commit was decided. It is asked for once it is durable.
   *
   * @param bytes - what it takes, about
   */
  add(commit: StoredCommit, bytes: number): void
  /**
   * Those at the positions, in the order given, as a list of the caller's own. All of them are durable.
   *
   * @param isPassing - the log is read on and on: nobody will soon want the same again
   */
  at(positions: readonly number[], isPassing: boolean): Commit[] | Promise<Commit[]>
}

/** Keeps all of them in memory. */
export class CommitsInMemory implements Commits {
  readonly #commits: Commit[] = []

  add(commit: StoredCommit): void {
    this.#commits.push(withoutClaims(commit))
  }

  at(positions: readonly number[]): Commit[] {
    return positions.map((position) => this.#commits[position - 1] as Commit)
  }
}

/** What readers get, and share: nobody can change it. */
export function withoutClaims({ claims: _, ...commit }: StoredCommit): Commit {
  return deepFreeze(commit)
}
