import { type Commit, isIn } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'

/** How many commits of one thing are read at most: its newest. */
export const WINDOW = 16

/** The most things that one command looks up. */
const MAX_JOINED = 100

/** The newest commits of one thing, oldest first. */
export interface NewestCommits {
  readonly commits: readonly Commit[]
  /** Whether they are all that there are. */
  readonly complete: boolean
}

interface Waiting {
  readonly names: readonly string[]
  resolve(found: NewestCommits): void
  reject(error: unknown): void
}

/**
 * Reads the newest commits of many things. Look-ups of one tick go as one command. A thing with a long stream must not
 * crowd out the others: where the joined answer is full, each of its things is looked up alone.
 */
export class StreamReader {
  readonly #store: EventStore
  #waiting: Waiting[] = []

  constructor(store: EventStore) {
    this.#store = store
  }

  /** @param names - the names of the thing's stream: one for each hashing key */
  newest(names: readonly string[]): Promise<NewestCommits> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ names, resolve, reject })
      if (this.#waiting.length === 1) queueMicrotask(() => void this.#readWaiting())
    })
  }

  async #readWaiting(): Promise<void> {
    await undefined // look-ups that were awaited in the same tick join
    const waiting = this.#waiting
    this.#waiting = []
    for (let i = 0; i < waiting.length; i += MAX_JOINED) void this.#readJoined(waiting.slice(i, i + MAX_JOINED))
  }

  async #readJoined(joined: readonly Waiting[]): Promise<void> {
    try {
      const limit = WINDOW * joined.length
      const names = [...new Set(joined.flatMap((one) => one.names))]
      const newestFirst = await this.#store.readStreams(names, { direction: 'backwards', limit })
      const commits = newestFirst.reverse()
      if (commits.length < limit) {
        for (const { names, resolve } of joined) resolve({ commits: naming(names, commits), complete: true })
      } else if (joined.length === 1) {
        for (const { names, resolve } of joined) resolve({ commits: naming(names, commits), complete: false })
      } else for (const one of joined) void this.#readJoined([one])
    } catch (error) {
      for (const { reject } of joined) reject(error)
    }
  }
}

function naming(names: readonly string[], commits: readonly Commit[]): Commit[] {
  return commits.filter(({ events }) => events.some((event) => names.some((name) => isIn(event, name))))
}
