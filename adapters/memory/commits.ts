import type { Commit } from '../../lib/log/commit.ts'
import { upcast } from '../../lib/log/upcast.ts'
import { deepFreeze } from './frozen.ts'
import type { StoredCommit } from './journal.ts'

/** Where the commits of a log are kept, by position. Positions ascend from 1; what was removed is missing. */
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
  /** The same, with what only the store uses. */
  stored(positions: readonly number[]): StoredCommit[] | Promise<StoredCommit[]>
  /** Nobody will ask for them any more. */
  forget(positions: readonly number[]): void
}

/** Keeps all of them in memory. */
export class CommitsInMemory implements Commits {
  readonly #commits = new Map<number, { readonly commit: Commit; readonly claims: readonly string[] }>()

  add(commit: StoredCommit): void {
    this.#commits.set(commit.position, { commit: withoutClaims(commit), claims: commit.claims })
  }

  at(positions: readonly number[]): Commit[] {
    return positions.map((position) => (this.#commits.get(position) as { readonly commit: Commit }).commit)
  }

  stored(positions: readonly number[]): StoredCommit[] {
    return positions.flatMap((position) => {
      const found = this.#commits.get(position)
      return found ? [{ ...found.commit, claims: found.claims }] : []
    })
  }

  forget(positions: readonly number[]): void {
    for (const position of positions) this.#commits.delete(position)
  }
}

/** What readers get, and share: nobody can change it. */
export function withoutClaims({ claims: _, v = 1, ...commit }: StoredCommit): Commit {
  return deepFreeze(upcast(commit, v))
}
