import type { JsonObject } from '../../lib/log/commit.ts'
import type { Removal, RetentionState, RetentionTable } from '../../lib/log/retention-table.ts'
import type { WriteLock } from './write-lock.ts'

/** What was removed, as a journal's entry. */
export interface Removed {
  readonly floor: number
  /** Positions of commits. */
  readonly positions: readonly number[]
}

/** Retention in memory. A process has the log alone: there are no tombstones. */
export class MemoryRetention implements RetentionTable {
  readonly #lock: WriteLock
  readonly #onRemoved: (removed: Removed) => void
  #floor = 0
  #state: RetentionState | undefined

  /** @param onRemoved - called with what is removed, in the turn in which it is decided */
  constructor(lock: WriteLock, onRemoved: (removed: Removed) => void) {
    this.#lock = lock
    this.#onRemoved = onRemoved
  }

  async time(): Promise<number> {
    this.#lock.assertOpen()
    return this.#lock.steadyNow()
  }

  async floor(): Promise<number> {
    this.#lock.assertOpen()
    return this.#floor
  }

  remove({ positions }: Removal): Promise<void> {
    return this.#lock.change((write) => {
      if (positions.length === 0) return
      const removed: Removed = { floor: Math.max(this.#floor, ...positions), positions: [...positions] }
      write({ kind: 'removed', removed })
      this.applyRemoved(removed)
    })
  }

  async state(): Promise<RetentionState | undefined> {
    this.#lock.assertOpen()
    return this.#state
  }

  save(revision: number, state: JsonObject): Promise<boolean> {
    return this.#lock.change((write) => {
      if ((this.#state?.revision ?? 0) !== revision) return false
      const next: RetentionState = { revision: revision + 1, state: structuredClone(state) }
      write({ kind: 'retention', state: next })
      this.applyState(next)
      return true
    })
  }

  applyRemoved(removed: Removed): void {
    this.#floor = Math.max(this.#floor, removed.floor)
    this.#onRemoved(removed)
  }

  applyState(state: RetentionState): void {
    this.#state = state
  }

  /** What a journal that begins anew has to hold. */
  get now(): { readonly floor: number; readonly state: RetentionState | undefined } {
    return { floor: this.#floor, state: this.#state }
  }
}
