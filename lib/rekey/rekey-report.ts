/** What still needs a former key. */
export interface Needed {
  /** A model, the type of an event, a work table, or `account`: the keys of accounts. */
  readonly of: string
  /** Until when, milliseconds since 1970. Absent: it has no end. */
  readonly until?: number | undefined
}

/** Of one kind. */
export interface NeededCount {
  readonly of: string
  readonly count: number
  /** When the last of them is over. Absent: never, or nobody knows. */
  readonly until?: number
}

/** What came of it. */
export interface RekeyReport {
  readonly dryRun: boolean
  /** Keys of accounts: those that are not destroyed, those that were sealed anew, those that cannot be opened. */
  readonly accountKeys: Counts
  /** States. `unnamed`: of models of the application's own, whose id is not in what they hold: no new key finds them. */
  readonly states: Counts & { readonly unnamed: number }
  /** What still needs a former sealing key, by its id. A key that is not listed may go: name it in `keys.retired`. */
  readonly sealing: Readonly<Record<string, readonly NeededCount[]>>
  /** What only a former hashing key finds: as long as there is something it has to stay. */
  readonly hashing: readonly NeededCount[]
}

interface Counts {
  readonly looked: number
  readonly resealed: number
  readonly unreadable: number
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** Counts while it is done. */
export class RekeyTally {
  readonly accountKeys: Writable<Counts> = { looked: 0, resealed: 0, unreadable: 0 }
  readonly states: Writable<RekeyReport['states']> = { looked: 0, resealed: 0, unreadable: 0, unnamed: 0 }
  readonly #dryRun: boolean
  readonly #sealing = new Map<string, Map<string, NeededCount>>()
  readonly #hashing = new Map<string, NeededCount>()

  constructor(dryRun: boolean) {
    this.#dryRun = dryRun
  }

  get resealed(): number {
    return this.accountKeys.resealed + this.states.resealed
  }

  /** @param keyId - undefined: nobody knows */
  needs(kind: 'sealing' | 'hashing', keyId: string | undefined, needed: Needed): void {
    const id = keyId ?? 'unknown'
    const counts = kind === 'hashing' ? this.#hashing : (this.#sealing.get(id) ?? new Map<string, NeededCount>())
    if (kind === 'sealing') this.#sealing.set(id, counts)
    const before = counts.get(needed.of)
    const isEndless = needed.until === undefined || (before && before.until === undefined)
    counts.set(needed.of, {
      of: needed.of,
      count: (before?.count ?? 0) + 1,
      ...(!isEndless && { until: Math.max(before?.until ?? 0, needed.until ?? 0) }),
    })
  }

  get report(): RekeyReport {
    return {
      dryRun: this.#dryRun,
      accountKeys: { ...this.accountKeys },
      states: { ...this.states },
      sealing: Object.fromEntries([...this.#sealing].map(([id, counts]) => [id, [...counts.values()]])),
      hashing: [...this.#hashing.values()],
    }
  }
}
