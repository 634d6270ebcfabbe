import type { LivenessTable, Living, Sign } from '../../lib/log/liveness-table.ts'
import type { WriteLock } from './write-lock.ts'

/** Signs of life in memory. Not kept: nobody can look for one of a process that is gone. */
export class MemoryLiveness implements LivenessTable {
  readonly #assertOpen: () => void
  readonly #beats = new Map<string, number>()
  /** One count for all: a holder that was forgotten and comes back never shows a beat that it showed before. */
  #count = 0
  #notices = 0

  constructor({ assertOpen }: Pick<WriteLock, 'assertOpen'>) {
    this.#assertOpen = assertOpen
  }

  async beat(holders: readonly string[]): Promise<Living> {
    this.#assertOpen()
    this.#count += 1
    for (const holder of holders) this.#beats.set(holder, this.#count)
    return { signs: [...this.#beats].map(([holder, beat]) => ({ holder, beat })), notices: this.#notices }
  }

  async forget({ holder, beat }: Sign): Promise<boolean> {
    this.#assertOpen()
    return this.#beats.get(holder) === beat && this.#beats.delete(holder)
  }

  async notify(): Promise<void> {
    this.#assertOpen()
    this.#notices += 1
  }
}
