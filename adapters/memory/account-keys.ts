import { isDeepStrictEqual } from 'node:util'
import {
  type AccountKeyRecord,
  type AccountKeyTable,
  isAsWanted,
  type NewAccountKey,
} from '../../lib/log/account-key-table.ts'
import { deepFreeze } from './frozen.ts'
import type { Entry } from './journal.ts'
import type { WriteLock } from './write-lock.ts'

/** The keys of accounts in memory. */
export class MemoryAccountKeys implements AccountKeyTable {
  readonly #lock: WriteLock
  readonly #erase: () => Promise<void>
  readonly #records = new Map<string, AccountKeyRecord>()
  /** In order; undefined: some came or went. */
  #ids: readonly string[] | undefined
  readonly #byName = new Map<string, Set<string>>()
  readonly #byFormerName = new Map<string, Set<string>>()

  /** @param erase - leaves behind whatever was stored of keys that are destroyed, for good when it resolves */
  constructor(lock: WriteLock, erase: () => Promise<void>) {
    this.#lock = lock
    this.#erase = erase
  }

  async find(ids: readonly string[]): Promise<AccountKeyRecord[]> {
    this.#lock.assertOpen()
    return [...new Set(ids)].flatMap((id) => this.#records.get(id) ?? [])
  }

  async obtain(names: readonly string[], make: NewAccountKey): Promise<AccountKeyRecord> {
    this.#lock.assertOpen()
    const found = this.#foundBy(names)
    if (found && isAsWanted(found, names, make)) return found
    return this.#lock.change((write) => {
      const before = this.#foundBy(names) ?? { ...make, names: [] }
      const usedAt = Math.max(before.usedAt, make.usedAt)
      return this.#put(write, { ...before, names: [...new Set([...before.names, ...names])], usedAt })
    })
  }

  retire(names: readonly string[]): Promise<AccountKeyRecord[]> {
    return this.#lock.change((write) => {
      for (const found of this.#allFoundBy(names)) this.#put(write, { ...found, names: [], formerNames: found.names })
      return this.#recordsNamed(names)
    })
  }

  async named(names: readonly string[]): Promise<AccountKeyRecord[]> {
    this.#lock.assertOpen()
    return this.#recordsNamed(names)
  }

  #recordsNamed(names: readonly string[]): AccountKeyRecord[] {
    return this.#recordsIn(names, this.#byName, this.#byFormerName)
  }

  async destroy(ids: readonly string[], at: number): Promise<void> {
    await this.#lock.change((write) => {
      for (const id of ids) {
        const record = this.#records.get(id)
        if (!record || (record.destroyedAt !== undefined && record.sealed === undefined)) continue
        const { sealed: _, account: __, ...rest } = record
        this.#put(write, { ...rest, names: [], destroyedAt: at, usedAt: at })
      }
    })
    // Also for those that were destroyed before: whether they were left behind then is not known.
    if (ids.length > 0) await this.#erase()
  }

  async list({ after = '', limit }: { readonly after?: string; readonly limit: number }): Promise<AccountKeyRecord[]> {
    this.#lock.assertOpen()
    this.#ids ??= [...this.#records.keys()].sort()
    const from = this.#ids.findIndex((id) => id > after)
    const ids = from < 0 ? [] : this.#ids.slice(from, from + limit)
    return ids.flatMap((id) => this.#records.get(id) ?? [])
  }

  reseal(
    from: AccountKeyRecord,
    { sealed, names }: { readonly sealed: string; readonly names: readonly string[] },
  ): Promise<boolean> {
    return this.#lock.change((write) => {
      const record = this.#records.get(from.id)
      if (!record?.sealed || record.sealed !== from.sealed || !isDeepStrictEqual(record.names, from.names)) return false
      this.#put(write, { ...record, sealed, ...(record.names.length > 0 ? { names } : { formerNames: names }) })
      return true
    })
  }

  async unused({ before, limit }: { readonly before: number; readonly limit: number }): Promise<AccountKeyRecord[]> {
    this.#lock.assertOpen()
    const unused = [...this.#records.values()].filter(({ usedAt }) => usedAt < before)
    return unused.sort((a, b) => a.usedAt - b.usedAt || (a.id < b.id ? -1 : 1)).slice(0, limit)
  }

  touch(ids: readonly string[], at: number): Promise<void> {
    return this.#lock.change((write) => {
      for (const id of ids) {
        const record = this.#records.get(id)
        if (record && record.usedAt < at) this.#put(write, { ...record, usedAt: at })
      }
    })
  }

  remove(ids: readonly string[], before: number): Promise<number> {
    return this.#lock.change((write) => {
      const old = ids.filter((id) => (this.#records.get(id)?.usedAt ?? before) < before)
      for (const id of old) {
        this.drop(id)
        write({ kind: 'account_key_removed', id })
      }
      return old.length
    })
  }

  apply(record: AccountKeyRecord): void {
    if (!this.#records.has(record.id)) this.#ids = undefined
    this.#unlink(record.id)
    this.#records.set(record.id, deepFreeze(record))
    for (const name of record.names) link(this.#byName, name, record.id)
    for (const name of record.formerNames ?? []) link(this.#byFormerName, name, record.id)
  }

  drop(id: string): void {
    this.#unlink(id)
    if (this.#records.delete(id)) this.#ids = undefined
  }

  #unlink(id: string): void {
    const record = this.#records.get(id)
    if (!record) return
    for (const name of record.names) unlink(this.#byName, name, id)
    for (const name of record.formerNames ?? []) unlink(this.#byFormerName, name, id)
  }

  /** All of them, as entries of a journal. */
  *entries(): Generator<Entry> {
    for (const record of this.#records.values()) yield { kind: 'account_key', record }
  }

  #foundBy(names: readonly string[]): AccountKeyRecord | undefined {
    return this.#allFoundBy(names)[0]
  }

  #allFoundBy(names: readonly string[]): AccountKeyRecord[] {
    return this.#recordsIn(names, this.#byName)
  }

  /** In the order of their ids, of which the first is everybody's. */
  #recordsIn(names: readonly string[], ...indexes: readonly ReadonlyMap<string, Set<string>>[]): AccountKeyRecord[] {
    const ids = new Set(indexes.flatMap((index) => names.flatMap((name) => [...(index.get(name) ?? [])])))
    return [...ids].sort().flatMap((id) => this.#records.get(id) ?? [])
  }

  #put(write: (entry: Entry) => void, record: AccountKeyRecord): AccountKeyRecord {
    this.apply(record)
    write({ kind: 'account_key', record })
    return record
  }
}

function link(index: Map<string, Set<string>>, name: string, id: string): void {
  index.set(name, (index.get(name) ?? new Set()).add(id))
}

function unlink(index: Map<string, Set<string>>, name: string, id: string): void {
  const ids = index.get(name)
  ids?.delete(id)
  if (ids?.size === 0) index.delete(name)
}
