import { type Clock, oncePerTurn } from '../clock.ts'
import { SchemaNewerError } from '../errors.ts'
import { type Commit, streamsOf } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import { Slots } from '../slots.ts'

/** How many commits of one thing are read at most: its newest. */
export const WINDOW = 16

/** The most look-ups that go with one command. */
const MAX_JOINED = 250

/**
 * So many commands with several look-ups are under way at a time; the other look-ups wait and go with the next, after a
 * tenth of a second at most: while the database hangs each must be answered within its own time, not after others.
 */
const COMMANDS = { most: 2, open: Number.POSITIVE_INFINITY, overtakeMs: () => 100 }

/** So many long streams are remembered. */
const LONG_STREAMS = 10_000

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

/** A look-up that waits for its turn, and everybody who asked for it. */
interface Waiting extends LookUp {
  readonly callers: { resolve(found: NewestCommits): void; reject(error: unknown): void }[]
}

/**
 * Reads the newest commits of many things. Few commands are under way at a time: look-ups that come meanwhile join the
 * next one, and those for the same thing are one. So an idle process reads at once, and a busy one reads many things
 * with one command.
 *
 * A thing with a long stream must not crowd out the others: it is remembered, and looked up alone from then on.
 */
export class StreamReader {
  readonly #store: EventStore
  readonly #slots: Slots
  readonly #long = new Set<string>()
  /** Look-ups that will join, and those that will go alone. */
  readonly #joining = new Map<string, Waiting>()
  readonly #alone = new Map<string, Waiting>()
  /** Look-ups of the same turn of the event loop join. */
  readonly #schedule = oncePerTurn(() => this.#readWaiting())

  constructor(store: EventStore, clock: Clock) {
    this.#store = store
    this.#slots = new Slots(clock, COMMANDS, () => this.#schedule())
  }

  newest(what: LookUp): Promise<NewestCommits> {
    return new Promise((resolve, reject) => {
      const key = JSON.stringify(what)
      const those = what.names.some((name) => this.#long.has(name)) ? this.#alone : this.#joining
      const waiting = those.get(key) ?? { ...what, callers: [] }
      waiting.callers.push({ resolve, reject })
      those.set(key, waiting)
      this.#schedule()
    })
  }

  #readWaiting(): void {
    for (const one of this.#alone.values()) void this.#readAlone(one)
    this.#alone.clear()
    while (this.#joining.size > 0 && this.#slots.isFree) {
      const joined: Waiting[] = []
      for (const [key, one] of this.#joining) {
        this.#joining.delete(key)
        if (joined.push(one) === MAX_JOINED) break
      }
      this.#slots.occupy(this.#readJoined(joined))
    }
  }

  async #readAlone({ names, wanted, callers }: Waiting): Promise<void> {
    try {
      const commits = await this.#store.readStreams(names, { direction: 'backwards', limit: wanted })
      const found = { commits: commits.reverse(), complete: commits.length < wanted }
      for (const { resolve } of callers) resolve(found)
    } catch (error) {
      for (const { reject } of callers) reject(error)
    }
  }

  /**
   * The newest commits of all of them together. Where the answer is full, who has found as many as he wants has found the
   * newest; of the others it is not known, and they are looked up again, without those that had so many.
   */
  async #readJoined(joined: readonly Waiting[]): Promise<void> {
    let left = joined
    try {
      while (left.length > 0) {
        const limit = left.reduce((sum, { room }) => sum + room, 0)
        const names = [...new Set(left.flatMap((one) => one.names))]
        const commits = await this.#store.readStreams(names, { direction: 'backwards', limit })
        left = this.#dealOut(commits.reverse(), commits.length < limit, left)
      }
    } catch (error) {
      // What a newer version has written of one thing says nothing of the others.
      if (error instanceof SchemaNewerError && left.length > 1) for (const one of left) void this.#readAlone(one)
      else for (const { reject } of left.flatMap(({ callers }) => callers)) reject(error)
    }
  }

  /** Returns those that have not found enough. */
  #dealOut(commits: readonly Commit[], complete: boolean, joined: readonly Waiting[]): Waiting[] {
    const found = byName(commits)
    return joined.filter((one) => {
      const own = mergedOf(one.names, found)
      if (own.length > one.room || (!complete && own.length === one.room)) this.#rememberLong(one.names)
      if (!complete && own.length < one.wanted) return true
      for (const { resolve } of one.callers) resolve({ commits: own, complete })
      return false
    })
  }

  #rememberLong(names: readonly string[]): void {
    for (const name of names) this.#long.add(name)
    for (const oldest of this.#long) {
      if (this.#long.size <= LONG_STREAMS) break
      this.#long.delete(oldest)
    }
  }
}

function byName(commits: readonly Commit[]): Map<string, Commit[]> {
  const found = new Map<string, Commit[]>()
  for (const commit of commits) {
    for (const name of streamsOf(commit.events)) {
      const others = found.get(name)
      if (others) others.push(commit)
      else found.set(name, [commit])
    }
  }
  return found
}

/** The commits under any of these names, each once, in order. */
function mergedOf(names: readonly string[], found: ReadonlyMap<string, readonly Commit[]>): readonly Commit[] {
  const [only] = names
  if (names.length === 1 && only !== undefined) return found.get(only) ?? []
  const merged = new Set(names.flatMap((name) => found.get(name) ?? []))
  return [...merged].sort((a, b) => a.position - b.position)
}
