import type { Clock } from '../clock.ts'
import { StoreUnavailableError } from '../errors.ts'
import { inTime } from '../in-time.ts'
import type { ModelState } from './model-state.ts'

/** The longest wait for the commits of one session or client that came before, in milliseconds. */
const MAX_WAIT_MS = 10_000

interface Line {
  /** Resolves when the last one that entered has left. */
  tail: Promise<void>
  /** How many have entered and not left. */
  length: number
  /** The state that the last commit of the line left. */
  newest: ModelState | undefined
  /** Set when the store did not answer a commit of the line. */
  failed: boolean
}

/** The turn of one unit of work: no other unit of this process commits to its sessions and clients meanwhile. */
export interface WriteTurn {
  /** The state that the commit before left, where one of this process came right before. */
  newest(uid: string): ModelState | undefined
  /** Tells the next one what this commit has left. Undefined: the session ended. */
  left(uid: string, state: ModelState | undefined): void
  /** Tells those who wait that the store does not answer: each would wait for as long again. */
  fail(): void
  leave(): void
}

/**
 * Commits of one process that write the same session queue. Each takes what the one before has left as the state to
 * build on, and need not read it: a hundred tabs that renew at once cost a hundred commits and no lost race. Other
 * processes are kept apart by the claims of the commits. Those that write the same client queue too, by its stream: each
 * loses one race at most to those of its process.
 */
export class WriteTurns {
  readonly #lines = new Map<string, Line>()

  /**
   * Waits for the commits that came before.
   *
   * @param names - uids of sessions, streams of clients
   *
   * @throws StoreUnavailableError (`STORE_UNAVAILABLE`) after 10 s, or when the store did not answer one of them: nothing
   *   was stored
   */
  async enter(names: readonly string[], clock: Clock): Promise<WriteTurn> {
    const entered: (() => void)[] = []
    const leave = (): void => {
      for (const one of entered.splice(0)) one()
    }
    try {
      // All take their lines in the same order, so that no two wait for each other.
      for (const name of [...names].sort()) await this.#enterLine(name, clock, entered)
    } catch (error) {
      leave()
      throw error
    }
    return {
      newest: (uid) => this.#lines.get(uid)?.newest,
      left: (uid, state) => {
        const line = this.#lines.get(uid)
        if (line) line.newest = state
      },
      fail: () => {
        for (const name of names) {
          const line = this.#lines.get(name)
          if (line) line.failed = true
        }
      },
      leave,
    }
  }

  async #enterLine(name: string, clock: Clock, entered: (() => void)[]): Promise<void> {
    const line = this.#lines.get(name) ?? { tail: Promise.resolve(), length: 0, newest: undefined, failed: false }
    this.#lines.set(name, line)
    const before = line.tail
    let open = (): void => {}
    const left = new Promise<void>((resolve) => {
      open = resolve
    })
    line.tail = Promise.all([before, left]).then(() => undefined)
    line.length += 1
    entered.push(() => {
      open()
      line.length -= 1
      if (line.length === 0) this.#lines.delete(name)
    })
    if (line.length === 1) return
    if (!(await inTime(before, clock, MAX_WAIT_MS)) || line.failed)
      throw new StoreUnavailableError('the commits before this one were not answered in time: nothing was stored')
  }
}
