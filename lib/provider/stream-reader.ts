import { type Clock, oncePerTurn } from '../clock.ts'
import { SchemaNewerError } from '../errors.ts'
import { type Commit, streamsOf } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import { Slots } from '../slots.ts'
import { FollowedStreams, type LogWatcher } from './followed-streams.ts'
import type { LookUp, NewestCommits } from './look-up.ts'
import type { Moment } from './moment.ts'

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

/** A look-up that waits for its turn, and everybody who asked for it. */
interface Waiting extends LookUp {
  readonly callers: Caller[]
  /** Whether it must be read: what was held of it went away while it waited. */
  readonly mustBeRead?: boolean
}

interface Caller {
  readonly moment: Moment | undefined
  resolve(found: NewestCommits): void
  reject(error: unknown): void
}

/**
 * Reads the newest commits of many things. Few commands are under way at a time: look-ups that come meanwhile join the
 * next one, and those for the same thing are one. So an idle process reads at once, and a busy one reads many things
 * with one command.
 *
 * Where the store can be followed, what was read is held, and each command brings what was appended since (see
 * `FollowedStreams`): a thing that is held needs only to wait for the answer to a command that was sent after it was asked for.
 *
 * A thing with a long stream must not crowd out the others: it is remembered, and looked up alone from then on.
 */
export class StreamReader {
  readonly #store: EventStore
  readonly #clock: Clock
  readonly #followed: FollowedStreams
  readonly #slots: Slots
  readonly #long = new Set<string>()
  readonly #waiting = new Map<string, Waiting>()
  /** Look-ups of the same turn of the event loop join. */
  readonly #schedule = oncePerTurn(() => this.#readWaiting())

  /** @param heldBytes - so many bytes of what was read are held, about; 0: none */
  constructor(store: EventStore, clock: Clock, heldBytes?: number, watcher?: LogWatcher) {
    this.#store = store
    this.#clock = clock
    this.#followed = new FollowedStreams(store, clock, heldBytes, watcher)
    this.#slots = new Slots(clock, COMMANDS, () => this.#schedule())
  }

  /** Whether the watcher is told of every commit. */
  get isFollowing(): boolean {
    return this.#followed.isFollowing
  }

  /** @param moment - of the request that asks, if it is one */
  newest(what: LookUp, moment?: Moment): Promise<NewestCommits> {
    const held = moment?.lasts(this.#clock) ? this.#followed.get(what) : undefined
    if (held) return Promise.resolve(held)
    return new Promise((resolve, reject) => this.#wait({ ...what, callers: [{ moment, resolve, reject }] }))
  }

  #wait(what: Waiting): void {
    const key = JSON.stringify([what.names, what.wanted, what.room, what.mustBeRead])
    const waiting = this.#waiting.get(key)
    if (waiting) waiting.callers.push(...what.callers)
    else this.#waiting.set(key, what)
    this.#schedule()
  }

  #readWaiting(): void {
    for (const [key, one] of this.#waiting) {
      if (!one.names.some((name) => this.#long.has(name)) || (!one.mustBeRead && this.#followed.has(one))) continue
      this.#waiting.delete(key)
      void this.#readAlone(one)
    }
    while (this.#waiting.size > 0 && this.#slots.isFree) {
      const joined: Waiting[] = []
      for (const [key, one] of this.#waiting) {
        this.#waiting.delete(key)
        if (joined.push(one) === MAX_JOINED) break
      }
      this.#slots.occupy(this.#readJoined(joined))
    }
  }

  async #readAlone({ names, wanted, callers }: Waiting): Promise<void> {
    const loading = this.#followed.begin(names)
    try {
      const commits = await this.#store.readStreams(names, { direction: 'backwards', limit: wanted })
      const found = { commits: commits.reverse(), complete: commits.length < wanted }
      this.#followed.hold(loading, found)
      for (const { resolve } of callers) resolve(found)
    } catch (error) {
      this.#followed.abandon(loading)
      for (const { reject } of callers) reject(error)
    }
  }

  /**
   * The newest commits of all of them together, and what was appended to those that are held. Where the answer is full, who
   * has found as many as he wants has found the newest; of the others it is not known, and they are looked up again,
   * without those that had so many.
   */
  async #readJoined(joined: readonly Waiting[]): Promise<void> {
    const began = this.#clock.monotonic()
    const { held, others } = this.#sorted(joined)
    const loadings = new Map(others.map((one) => [one, this.#followed.begin(one.names)]))
    let left: readonly Waiting[] = others
    let waiting: readonly Waiting[] = held
    try {
      do {
        const limit = left.reduce((sum, { room }) => sum + room, 0)
        const names = [...new Set(left.flatMap((one) => one.names))]
        const { commits, isComplete } = await this.#followed.read(names, limit)
        for (const one of waiting) this.#answerHeld(one, began)
        waiting = []
        left = this.#dealOut(commits.toReversed(), isComplete, left, (one, found) => {
          this.#followed.hold(loadings.get(one), found)
          answer(one, found, began)
        })
      } while (left.length > 0)
    } catch (error) {
      const failed = [...waiting, ...left]
      // What a newer version has written of one thing says nothing of the others.
      if (error instanceof SchemaNewerError && failed.length > 1) for (const one of failed) void this.#readAlone(one)
      else for (const { reject } of failed.flatMap(({ callers }) => callers)) reject(error)
    } finally {
      for (const loading of loadings.values()) this.#followed.abandon(loading)
    }
  }

  #sorted(joined: readonly Waiting[]): { held: Waiting[]; others: Waiting[] } {
    const held: Waiting[] = []
    const others: Waiting[] = []
    for (const one of joined) (!one.mustBeRead && this.#followed.has(one) ? held : others).push(one)
    return { held, others }
  }

  #answerHeld(one: Waiting, began: number): void {
    const found = this.#followed.get(one)
    if (found) answer(one, found, began)
    else this.#wait({ ...one, mustBeRead: true })
  }

  /** Returns those that have not found enough. */
  #dealOut(
    commits: readonly Commit[],
    isComplete: boolean,
    joined: readonly Waiting[],
    onFound: (one: Waiting, found: NewestCommits) => void,
  ): Waiting[] {
    const found = byName(commits)
    return joined.filter((one) => {
      const own = mergedOf(one.names, found)
      if (own.length > one.room || (!isComplete && own.length === one.room)) this.#rememberLong(one.names)
      if (!isComplete && own.length < one.wanted) return true
      onFound(one, { commits: own, complete: isComplete })
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

/** @param began - when the command was sent, by the monotonic clock */
function answer({ callers }: Waiting, found: NewestCommits, began: number): void {
  for (const { moment, resolve } of callers) {
    moment?.set(began)
    resolve(found)
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
