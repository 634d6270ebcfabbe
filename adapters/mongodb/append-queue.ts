import type { Pending } from './pending.ts'

/** How much may be taken or kept at a time. */
export interface Limits {
  readonly commits: number
  readonly bytes: number
}

/**
 * The appends of a process, from `append()` until they leave: those that wait, and those that were taken and are in flight.
 *
 * Appends that write the same stream stand in one line, in the order in which they came, and only the first of a line may
 * be taken: the later of two writes of one thing must not land below the earlier. So the work for an append does not
 * depend on how many others wait.
 */
export class AppendQueue {
  readonly #lines = new Map<string, Set<Pending>>()
  /** In how many of its lines somebody stands before an append. Absent: in none. */
  readonly #behind = new Map<Pending, number>()
  /** Those that wait. */
  readonly #waiting = new Set<Pending>()
  /** Of those that wait the ones that are the first in all their lines. */
  readonly #ready = new Set<Pending>()
  /** Those that were taken before, and are sent again before all others: they have waited longest. */
  readonly #again = new Set<Pending>()
  #bytes = 0

  /** Whether so many wait that another one is refused. */
  isFull(limits: Limits): boolean {
    return this.#waiting.size >= limits.commits || this.#bytes >= limits.bytes
  }

  /** Those that wait: no insert of them is under way. */
  get waiting(): readonly Pending[] {
    return [...this.#waiting]
  }

  push(pending: Pending): void {
    this.#wait(pending)
    let behind = 0
    for (const stream of pending.commit.stateStreams) {
      const line = this.#lines.get(stream)
      if (line) {
        line.add(pending)
        behind++
      } else this.#lines.set(stream, new Set([pending]))
    }
    if (behind > 0) this.#behind.set(pending, behind)
    else this.#ready.add(pending)
  }

  /** Takes the next batch: at least one append, where one may be taken. They stay in their lines until they leave. */
  take(limits: Limits): Pending[] {
    const batch: Pending[] = []
    let bytes = 0
    for (const ready of [this.#again, this.#ready]) {
      for (const pending of ready) {
        const fits = batch.length < limits.commits && bytes + pending.bytes <= limits.bytes
        if (batch.length > 0 && !fits) return batch
        ready.delete(pending)
        this.#waitNoLonger(pending)
        bytes += pending.bytes
        batch.push(pending)
      }
    }
    return batch
  }

  /** An append that was taken waits again, at the front. */
  putBack(pending: Pending): void {
    this.#wait(pending)
    this.#again.add(pending)
  }

  /** Nobody sends it any more: those behind it may go. */
  leave(pending: Pending): void {
    this.#waitNoLonger(pending)
    this.#ready.delete(pending)
    this.#again.delete(pending)
    this.#behind.delete(pending)
    for (const stream of pending.commit.stateStreams) {
      const line = this.#lines.get(stream)
      const wasFirst = first(line) === pending
      line?.delete(pending)
      const next = first(line)
      if (!next) this.#lines.delete(stream)
      else if (wasFirst) this.#moveUp(next)
    }
  }

  /** It has become the first of one of its lines. */
  #moveUp(pending: Pending): void {
    const behind = (this.#behind.get(pending) ?? 0) - 1
    if (behind > 0) this.#behind.set(pending, behind)
    else {
      this.#behind.delete(pending)
      this.#ready.add(pending)
    }
  }

  #wait(pending: Pending): void {
    this.#waiting.add(pending)
    this.#bytes += pending.bytes
  }

  #waitNoLonger(pending: Pending): void {
    if (this.#waiting.delete(pending)) this.#bytes -= pending.bytes
  }
}

function first<T>(line: ReadonlySet<T> | undefined): T | undefined {
  if (!line) return undefined
  for (const item of line) return item
  return undefined
}
