import type { Commit } from '../log/commit.ts'

/** What a run of retention removed, or would remove. */
export interface RetentionReport {
  readonly dryRun: boolean
  /** How many commits were looked at. */
  readonly looked: number
  /** How many of them went, or would go. */
  readonly commits: number
  /** The facts in them, by kind: `AccessToken stored`, `session_logout.terminated`. */
  readonly kinds: Readonly<Record<string, number>>
  /** The last position that was looked at. */
  readonly horizon: number
  /** What keeps it from looking further: a consumer that has not handled what lies above its checkpoint. */
  readonly heldBy?: { readonly consumer: string; readonly position: number }
  /** Since when retention knows how old the log is, milliseconds since 1970. Absent: it has never run. */
  readonly watchedSince?: number
}

/** How retention stands. */
export interface RetentionStatus {
  /** Positions at or below it may have been removed. */
  readonly floor: number
  /** How many commits were removed since the log began. */
  readonly removed: number
  /** When the whole log was gone through last, milliseconds since 1970. */
  readonly walkedAt?: number
  /** Since when it knows how old the log is, milliseconds since 1970. */
  readonly watchedSince?: number
  readonly heldBy?: { readonly consumer: string; readonly position: number }
}

/** Counts what goes. */
export class Tally {
  looked = 0
  commits = 0
  readonly #kinds = new Map<string, number>()

  add(going: readonly Commit[]): void {
    this.commits += going.length
    for (const { events } of going) {
      for (const { stream, type } of events) {
        const model = /^(\p{Lu}[^:]*):/u.exec(stream)?.[1]
        const kind = model === undefined ? type : `${model} ${type}`
        this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1)
      }
    }
  }

  get kinds(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#kinds].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
