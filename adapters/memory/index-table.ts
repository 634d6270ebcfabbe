import type { IndexEntry, IndexPlace, IndexTable, NewIndexEntry } from '../../lib/log/index-table.ts'
import { deepFreeze, frozenCopy } from './frozen.ts'
import type { Entry } from './journal.ts'
import type { Change, WriteLock } from './write-lock.ts'

/** An index in memory: entries by id, and for each key a list in the order of their first positions. */
export class MemoryIndex implements IndexTable {
  readonly #name: string
  readonly #change: Change
  readonly #assertOpen: () => void
  readonly #entries = new Map<string, IndexEntry>()
  readonly #byKey = new Map<string, IndexEntry[]>()

  constructor(name: string, { change, assertOpen }: WriteLock) {
    this.#name = name
    this.#change = change
    this.#assertOpen = assertOpen
  }

  apply(entry: IndexEntry): void {
    this.drop(entry.id)
    this.#entries.set(entry.id, deepFreeze(entry))
    for (const key of entry.keys) {
      const list = this.#byKey.get(key) ?? []
      this.#byKey.set(key, list)
      list.splice(placeOf(entry, list), 0, entry)
    }
  }

  drop(id: string): void {
    const entry = this.#entries.get(id)
    if (!entry) return
    this.#entries.delete(id)
    for (const key of entry.keys) {
      const list = this.#byKey.get(key) ?? []
      list.splice(placeOf(entry, list), 1)
      if (list.length === 0) this.#byKey.delete(key)
    }
  }

  /** All of it, as entries of a journal. */
  *entries(): Generator<Entry> {
    for (const entry of this.#entries.values()) yield { kind: 'indexed', index: this.#name, entry }
  }

  put(entries: readonly NewIndexEntry[]): Promise<void> {
    const given = frozenCopy(entries)
    return this.#change((write) => {
      for (const entry of given) this.#put(write, entry)
    })
  }

  remove(places: readonly Pick<IndexEntry, 'id' | 'position'>[]): Promise<void> {
    const given = frozenCopy(places)
    return this.#change((write) => {
      for (const { id, position } of given) {
        const entry = this.#entries.get(id)
        if (entry && entry.position <= position) this.#drop(write, id)
      }
    })
  }

  async list({
    key,
    after,
    limit,
  }: {
    readonly key: string
    readonly after?: IndexPlace
    readonly limit: number
  }): Promise<IndexEntry[]> {
    this.#assertOpen()
    const list = this.#byKey.get(key) ?? []
    const end = after ? placeOf(after, list) : list.length
    return list.slice(Math.max(0, end - limit), end).reverse()
  }

  sweep(expiredBefore: number): Promise<number> {
    return this.#change((write) => {
      const old = [...this.#entries.values()].filter(
        ({ expiresAt }) => expiresAt !== undefined && expiresAt < expiredBefore,
      )
      for (const { id } of old) this.#drop(write, id)
      return old.length
    })
  }

  #put(write: (entry: Entry) => void, entry: NewIndexEntry): void {
    const moved = later(this.#entries.get(entry.id), entry)
    this.apply(moved)
    write({ kind: 'indexed', index: this.#name, entry: moved })
  }

  #drop(write: (entry: Entry) => void, id: string): void {
    this.drop(id)
    write({ kind: 'unindexed', index: this.#name, id })
  }
}

/** What an entry is after another commit: it gathers keys, and neither its position nor its expiry goes back. */
function later(before: IndexEntry | undefined, entry: NewIndexEntry): IndexEntry {
  if (!before) return { ...entry, first: entry.position }
  const moved = {
    id: entry.id,
    keys: [...new Set([...before.keys, ...entry.keys])],
    position: Math.max(before.position, entry.position),
    first: Math.min(before.first, entry.position),
  }
  if (before.expiresAt === undefined || entry.expiresAt === undefined) return moved
  return { ...moved, expiresAt: Math.max(before.expiresAt, entry.expiresAt) }
}

/** Where the entry stands, or would stand: by its first position, then by id. */
function placeOf({ first, id }: IndexPlace, list: readonly IndexEntry[]): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    const other = list[middle] as IndexEntry
    if (other.first < first || (other.first === first && other.id < id)) low = middle + 1
    else high = middle
  }
  return low
}
