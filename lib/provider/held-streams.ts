import type { Commit, Event, Json } from '../log/commit.ts'
import { streamsOf } from '../log/commit.ts'
import type { NewestCommits } from './look-up.ts'

/** A held thing with more commits than this loses its oldest ones: so many are kept then. */
const COMMITS = { most: 32, kept: 16 }

/**
 * What was read is held for so long, in milliseconds, and read again then. Nobody is told of what retention removes: what is
 * held goes by ends and counts that the log does not have any more, and others may have begun anew without them.
 */
const HELD_MS = 600_000

/** What a commit, an event and a value take beside their text, about, in bytes. */
const OVERHEAD_BYTES = 128

/** A state that was opened is kept with its event, and is about as large. */
const OPENED = 2

/** A thing that is held: its newest commits. */
interface Held {
  readonly key: string
  readonly names: readonly string[]
  /** When it was read, by the clock of whoever holds. */
  readonly since: number
  /** Oldest first. Another array whenever something is added: who was given one keeps it as it was. */
  commits: readonly Commit[]
  /** Whether it has no others. */
  complete: boolean
  bytes: number
}

/** A thing that is being read: what is appended meanwhile counts as well. */
export class Loading {
  readonly names: readonly string[]
  readonly came: Commit[] = []
  /** Whether nothing of it may be held any more. */
  isSpoilt = false

  constructor(names: readonly string[]) {
    this.names = names
  }
}

/**
 * The newest commits of things that were read, in a bounded number of bytes: those that were not used for longest go
 * first. What is appended to a thing that is held is added by `add()`, so that it is never behind its log by more than
 * its owner is.
 */
export class HeldStreams {
  readonly #most: number
  /** Those used last come last. */
  readonly #held = new Map<string, Held>()
  readonly #byName = new Map<string, Set<Held | Loading>>()
  #bytes = 0

  /** @param most - so many bytes are held, about */
  constructor(most: number) {
    this.#most = most
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The newest commits of the thing: `wanted` of them, or all. Undefined: not known. */
  get(names: readonly string[], wanted: number, now: number): NewestCommits | undefined {
    const held = this.#fresh(names, now)
    if (!held || !isEnough(held, wanted)) return undefined
    this.#held.delete(held.key)
    this.#held.set(held.key, held)
    return { commits: held.commits, complete: held.complete }
  }

  has(names: readonly string[], wanted: number, now: number): boolean {
    const held = this.#fresh(names, now)
    return held !== undefined && isEnough(held, wanted)
  }

  /** Call it before the thing is read: what is added from now on belongs to it. End with `hold()` or `abandon()`. */
  begin(names: readonly string[]): Loading {
    const loading = new Loading(names)
    this.#index(loading)
    return loading
  }

  /** Holds what was read. It is the newest; `complete`: the thing has no other commits. */
  hold(loading: Loading, { commits, complete }: NewestCommits, now: number): void {
    this.abandon(loading)
    const key = keyOf(loading.names)
    const before = this.#fresh(loading.names, now)
    if (loading.isSpoilt || (before && isMore(before, { commits, complete }))) return
    if (before) this.#drop(before)
    const held: Held = { key, names: loading.names, since: now, commits: [], complete, bytes: OVERHEAD_BYTES }
    this.#held.set(key, held)
    this.#bytes += held.bytes
    this.#index(held)
    for (const commit of [...commits, ...loading.came]) this.#addTo(held, commit)
    this.#makeRoom()
  }

  /** Nothing of it is held. Harmless after `hold()`. */
  abandon(loading: Loading): void {
    this.#unindex(loading)
  }

  /** A commit lies in the log. Adding it again does nothing. */
  add(commit: Commit): void {
    for (const name of streamsOf(commit.events)) {
      for (const one of this.#byName.get(name) ?? []) {
        if (one instanceof Loading) one.came.push(commit)
        else this.#addTo(one, commit)
      }
    }
    this.#makeRoom()
  }

  /** What is held of these streams is no longer what they hold. */
  drop(streams: readonly string[]): void {
    for (const name of streams) {
      for (const one of [...(this.#byName.get(name) ?? [])]) {
        if (one instanceof Loading) one.isSpoilt = true
        else this.#drop(one)
      }
    }
  }

  /** Nothing is held any more; what is being read will not be. */
  clear(): void {
    for (const those of this.#byName.values()) {
      for (const one of those) if (one instanceof Loading) one.isSpoilt = true
    }
    this.#byName.clear()
    this.#held.clear()
    this.#bytes = 0
  }

  #fresh(names: readonly string[], now: number): Held | undefined {
    const held = this.#held.get(keyOf(names))
    if (!held || now - held.since < HELD_MS) return held
    this.#drop(held)
    return undefined
  }

  #addTo(held: Held, commit: Commit): void {
    const last = held.commits.at(-1)
    if (last && last.position >= commit.position) {
      // Late: an insert that took longer than others with higher positions. Below what is held, others may be missing.
      const index = held.commits.findIndex(({ position }) => position >= commit.position)
      if (held.commits[index]?.position === commit.position || (index === 0 && !held.complete)) return
      held.commits = held.commits.toSpliced(index, 0, commit)
    } else held.commits = [...held.commits, commit]
    this.#grow(held, bytesOf(commit))
    if (held.commits.length <= COMMITS.most) return
    const lost = held.commits.slice(0, -COMMITS.kept)
    held.commits = held.commits.slice(-COMMITS.kept)
    held.complete = false
    for (const commit of lost) this.#grow(held, -bytesOf(commit))
  }

  #grow(held: Held, bytes: number): void {
    held.bytes += bytes
    this.#bytes += bytes
  }

  #makeRoom(): void {
    for (const held of this.#held.values()) {
      if (this.#bytes <= this.#most) return
      this.#drop(held)
    }
  }

  #drop(held: Held): void {
    if (!this.#held.delete(held.key)) return
    this.#bytes -= held.bytes
    this.#unindex(held)
  }

  #index(one: Held | Loading): void {
    for (const name of one.names) {
      const those = this.#byName.get(name)
      if (those) those.add(one)
      else this.#byName.set(name, new Set([one]))
    }
  }

  #unindex(one: Held | Loading): void {
    for (const name of one.names) {
      const those = this.#byName.get(name)
      those?.delete(one)
      if (those?.size === 0) this.#byName.delete(name)
    }
  }
}

function keyOf(names: readonly string[]): string {
  return names.length === 1 ? (names[0] as string) : JSON.stringify(names)
}

function isEnough({ commits, complete }: NewestCommits, wanted: number): boolean {
  return complete || commits.length >= wanted
}

function isMore(held: NewestCommits, read: NewestCommits): boolean {
  return held.complete ? !read.complete || held.commits.length >= read.commits.length : false
}

const sizes = new WeakMap<Commit, number>()

/** What a commit takes in memory, about. */
function bytesOf(commit: Commit): number {
  let bytes = sizes.get(commit)
  if (bytes === undefined) {
    bytes = OVERHEAD_BYTES + OPENED * commit.events.reduce((sum, event) => sum + bytesOfEvent(event), 0)
    sizes.set(commit, bytes)
  }
  return bytes
}

function bytesOfEvent({ stream, also = [], data }: Event): number {
  return OVERHEAD_BYTES + stream.length + also.reduce((sum, name) => sum + name.length, 0) + bytesOfJson(data)
}

function bytesOfJson(value: Json): number {
  if (typeof value === 'string') return OVERHEAD_BYTES / 4 + value.length
  if (typeof value !== 'object' || value === null) return OVERHEAD_BYTES / 8
  return Object.entries(value).reduce((sum, [name, one]) => sum + name.length + bytesOfJson(one), OVERHEAD_BYTES)
}
