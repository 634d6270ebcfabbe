import { CheckpointAheadError } from '../../lib/errors.ts'
import { type ConsumerRecord, type ConsumerTable, firstToken } from '../../lib/log/consumer-table.ts'
import type { Entry } from './journal.ts'
import type { Change, WriteLock } from './write-lock.ts'

/** Leases and checkpoints in memory. */
export class MemoryConsumers implements ConsumerTable {
  readonly #records = new Map<string, ConsumerRecord>()
  readonly #change: Change
  readonly #assertOpen: () => void
  readonly #end: () => number

  /** @param end - returns the position at which the log ends */
  constructor({ change, assertOpen }: WriteLock, end: () => number) {
    this.#change = change
    this.#assertOpen = assertOpen
    this.#end = end
  }

  apply(record: ConsumerRecord): void {
    this.#records.set(record.name, Object.freeze(record))
  }

  applyRemoved(name: string): void {
    this.#records.delete(name)
  }

  /** Releases all leases at start: one process uses the store at a time, so that former holders have ended. */
  freeAll(): void {
    for (const { holder: _, ...record } of [...this.#records.values()]) this.apply(record)
  }

  /** All of it, as entries of a journal. */
  *entries(): Generator<Entry> {
    for (const record of this.#records.values()) yield { kind: 'consumer', record }
  }

  ensure(name: string, position: number): Promise<ConsumerRecord> {
    return this.#change((write) => {
      const record = this.#records.get(name)
      if (record) return record
      this.#assertNotAhead(name, position)
      return this.#write(write, { name, token: firstToken(), beat: 0, position })
    })
  }

  async list(): Promise<ConsumerRecord[]> {
    this.#assertOpen()
    return [...this.#records.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async get(name: string): Promise<ConsumerRecord | undefined> {
    this.#assertOpen()
    return this.#records.get(name)
  }

  take(seen: ConsumerRecord, holder: string): Promise<ConsumerRecord | undefined> {
    return this.#change((write) => {
      const record = this.#asSeen(seen)
      if (!record) return undefined
      return this.#write(write, { ...record, holder, token: record.token + 1, beat: record.beat + 1 })
    })
  }

  checkpoint(name: string, token: number, position: number): Promise<boolean> {
    return this.#update(name, token, (record) => {
      this.#assertNotAhead(name, position)
      return { ...record, beat: record.beat + 1, position: Math.max(record.position, position) }
    })
  }

  async release(name: string, token: number): Promise<void> {
    await this.#update(name, token, ({ holder: _, ...record }) => ({ ...record, beat: record.beat + 1 }))
  }

  remove(seen: ConsumerRecord): Promise<boolean> {
    return this.#change((write) => {
      if (!this.#records.has(seen.name)) return true
      if (!this.#asSeen(seen)) return false
      this.applyRemoved(seen.name)
      write({ kind: 'consumer_removed', name: seen.name })
      return true
    })
  }

  #asSeen({ name, token, beat, holder }: ConsumerRecord): ConsumerRecord | undefined {
    const record = this.#records.get(name)
    return record?.token === token && record.beat === beat && record.holder === holder ? record : undefined
  }

  #update(name: string, token: number, to: (record: ConsumerRecord) => ConsumerRecord): Promise<boolean> {
    return this.#change((write) => {
      const record = this.#records.get(name)
      if (!record || record.token !== token || record.holder === undefined) return false
      this.#write(write, to(record))
      return true
    })
  }

  /** Checks new positions only: log and consumers share one journal, so that a recorded position is never ahead. */
  #assertNotAhead(name: string, position: number): void {
    const end = this.#end()
    if (position > end) throw new CheckpointAheadError(name, position, end)
  }

  #write(write: Parameters<Parameters<Change>[0]>[0], record: ConsumerRecord): ConsumerRecord {
    this.apply(record)
    write({ kind: 'consumer', record })
    return record
  }
}
