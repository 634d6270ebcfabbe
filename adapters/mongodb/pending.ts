import type { Appended } from '../../lib/log/commit.ts'
import type { PreparedCommit } from '../../lib/log/prepare.ts'
import type { UnplacedDocument } from './documents.ts'

/** An append on its way. */
export interface Pending {
  readonly commit: PreparedCommit
  readonly document: UnplacedDocument
  readonly bytes: number
  /** When it was queued, by the monotonic clock. */
  readonly since: number
  /** Whether an insert of it was ever sent: until then, nothing can have been stored. */
  sent: boolean
  /** How often a unique index refused it although its position was free and its claims were not held. */
  refusals: number
  /** Set once its caller has been told. */
  settled: boolean
  resolve(appended: Appended): void
  reject(error: unknown): void
}

/** An append that was not sent yet. Its caller is told once; `onSettled` is called then. */
export function newPending(
  what: Pick<Pending, 'commit' | 'document' | 'bytes' | 'since'>,
  caller: Pick<Pending, 'resolve' | 'reject'>,
  onSettled: (pending: Pending) => void,
): Pending {
  const settle = (answer: () => void): void => {
    if (pending.settled) return
    pending.settled = true
    onSettled(pending)
    answer()
  }
  const pending: Pending = {
    ...what,
    sent: false,
    refusals: 0,
    settled: false,
    resolve: (appended) => settle(() => caller.resolve(appended)),
    reject: (error) => settle(() => caller.reject(error)),
  }
  return pending
}

/** How much may be taken or kept at a time. */
export interface Limits {
  readonly commits: number
  readonly bytes: number
}

/** The appends of a process that wait, in order. */
export class Queue {
  #waiting: Pending[] = []
  #bytes = 0

  /** Whether so many wait that another one is refused. */
  isFull(limits: Limits): boolean {
    return this.#waiting.length >= limits.commits || this.#bytes >= limits.bytes
  }

  push(pending: Pending): void {
    this.#waiting.push(pending)
    this.#bytes += pending.bytes
  }

  /** Back to the front: they waited longest. */
  unshift(pendings: readonly Pending[]): void {
    this.#waiting.unshift(...pendings)
    for (const { bytes } of pendings) this.#bytes += bytes
  }

  /**
   * Takes the next batch. Appends that share a state stream with one in flight, or with an earlier one that waits, stay:
   * the later of two writes of one thing must not land below the earlier.
   */
  take(inFlight: ReadonlySet<string>, limits: Limits): Pending[] {
    const batch: Pending[] = []
    const rest: Pending[] = []
    const busy = new Set(inFlight)
    let bytes = 0
    for (const pending of this.#waiting) {
      if (pending.settled) {
        this.#bytes -= pending.bytes
        continue
      }
      const { stateStreams } = pending.commit
      const isFree = [...stateStreams].every((stream) => !busy.has(stream))
      for (const stream of stateStreams) busy.add(stream)
      const fits = batch.length === 0 || (batch.length < limits.commits && bytes + pending.bytes <= limits.bytes)
      if (isFree && fits) {
        bytes += pending.bytes
        batch.push(pending)
      } else rest.push(pending)
    }
    this.#waiting = rest
    this.#bytes -= bytes
    return batch
  }
}
