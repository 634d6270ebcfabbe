import type { Clock } from '../clock.ts'
import type { Commit } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import type { Follower, FollowListener, NewestOfStreams } from '../log/follower.ts'
import { HeldStreams, type Loading } from './held-streams.ts'
import type { LookUp, NewestCommits } from './look-up.ts'

/** So many bytes of what was read are held, about. */
const HELD_BYTES = 64 * 1024 * 1024

/** Where others have appended so many commits for each look-up that was answered from memory, following costs too much. */
const FOUND_FOR_ONE = 4

/** It is looked at after so many commits of others. */
const LOOKED_AT_EVERY = 1_000

/** For so long nothing is followed then, in milliseconds; twice as long each time, while it costs too much again. */
const PAUSE_MS = { first: 10_000, most: 640_000 }

/** Is told what was found in the log while it is followed. */
export interface LogWatcher {
  seen(commits: readonly Commit[]): void
  /** Some may have been missed. */
  startOver(): void
}

/**
 * What a process has read of the log, kept as long as the log can be followed: so a look-up that was answered once costs no
 * reading, only to learn what was appended since. While it cannot be followed, or others append far more than is looked up
 * here, everything is read.
 */
export class FollowedStreams {
  readonly #store: EventStore
  readonly #clock: Clock
  readonly #watcher: LogWatcher | undefined
  readonly #held: HeldStreams
  #follower: Follower | undefined
  #pausedUntil = Number.NEGATIVE_INFINITY
  #pauseMs = PAUSE_MS.first
  /** Commits of others, and look-ups answered from memory, since it was last looked whether that is worth it. */
  #found = 0
  #answered = 0

  /** @param heldBytes - so many bytes are held, about; 0: none, and nothing is followed */
  constructor(store: EventStore, clock: Clock, heldBytes: number = HELD_BYTES, watcher?: LogWatcher) {
    this.#store = store
    this.#clock = clock
    this.#watcher = watcher
    this.#held = new HeldStreams(heldBytes)
    if (heldBytes === 0) this.#pausedUntil = Number.POSITIVE_INFINITY
  }

  /** Whether every commit is found that is appended from now on. */
  get isFollowing(): boolean {
    return this.#follower?.isFollowing ?? false
  }

  /** What is held of the thing, if that is enough: as it was when `read()` was called last. */
  get({ names, wanted }: LookUp): NewestCommits | undefined {
    const held = this.#held.get(names, wanted, this.#clock.monotonic())
    if (held) this.#answered++
    return held
  }

  has({ names, wanted }: LookUp): boolean {
    return this.#held.has(names, wanted, this.#clock.monotonic())
  }

  /** Call it before the thing is read. Undefined: it will not be held. End with `hold()` or `abandon()`. */
  begin(names: readonly string[]): Loading | undefined {
    return this.isFollowing ? this.#held.begin(names) : undefined
  }

  hold(loading: Loading | undefined, found: NewestCommits): void {
    if (loading) this.#held.hold(loading, found, this.#clock.monotonic())
  }

  abandon(loading: Loading | undefined): void {
    if (loading) this.#held.abandon(loading)
  }

  /**
   * The newest commits that name any of the streams. When it resolves, what is held is not behind what was acknowledged
   * before the call.
   */
  async read(streams: readonly string[], limit: number): Promise<NewestOfStreams> {
    const follower = this.#following()
    if (follower) return follower.read(streams, limit)
    if (streams.length === 0) return { commits: [], isComplete: true }
    const commits = await this.#store.readStreams(streams, { direction: 'backwards', limit })
    return { commits, isComplete: commits.length < limit }
  }

  #following(): Follower | undefined {
    if (this.#follower || !this.#store.follow || this.#clock.monotonic() < this.#pausedUntil) return this.#follower
    this.#found = 0
    this.#answered = 0
    this.#follower = this.#store.follow(this.#listener)
    return this.#follower
  }

  readonly #listener: FollowListener = {
    appended: (commit) => {
      this.#held.add(commit)
      this.#watcher?.seen([commit])
    },
    found: (commits) => {
      for (const commit of commits) this.#held.add(commit)
      this.#watcher?.seen(commits)
      this.#found += commits.length
      if (this.#found >= LOOKED_AT_EVERY) this.#lookWhetherWorthIt()
    },
    unreadable: (streams) => this.#held.drop(streams),
    startOver: () => this.#startOver(),
  }

  #startOver(): void {
    this.#held.clear()
    this.#watcher?.startOver()
  }

  #lookWhetherWorthIt(): void {
    if (this.#found > FOUND_FOR_ONE * this.#answered) {
      this.#follower?.close()
      this.#follower = undefined
      this.#startOver()
      this.#pausedUntil = this.#clock.monotonic() + this.#pauseMs
      this.#pauseMs = Math.min(PAUSE_MS.most, 2 * this.#pauseMs)
    } else this.#pauseMs = PAUSE_MS.first
    this.#found = 0
    this.#answered = 0
  }
}
