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
    settled: false,
    resolve: (appended) => settle(() => caller.resolve(appended)),
    reject: (error) => settle(() => caller.reject(error)),
  }
  return pending
}

/** The appends of a process that wait, in order. */
export class Queue {
  readonly #waiting: Pending[] = []

  push(pending: Pending): void {
    this.#waiting.push(pending)
  }

  /** Back to the front: they waited longest. */
  unshift(pendings: readonly Pending[]): void {
    this.#waiting.unshift(...pendings)
  }

  /**
   * Takes the next batch. Appends that share a state stream with one in flight, or with an earlier one that waits, stay:
   * the later of two writes of one thing must not land below the earlier.
   */
  take(inFlight: ReadonlySet<string>, most: { readonly commits: number; readonly bytes: number }): Pending[] {
    const batch: Pending[] = []
    const busy = new Set(inFlight)
    let bytes = 0
    for (let i = 0; i < this.#waiting.length && batch.length < most.commits; ) {
      const pending = this.#waiting[i] as Pending
      const { stateStreams } = pending.commit
      const free = [...stateStreams].every((stream) => !busy.has(stream))
      for (const stream of stateStreams) busy.add(stream)
      if (pending.settled) this.#waiting.splice(i, 1)
      else if (free && (batch.length === 0 || bytes + pending.bytes <= most.bytes)) {
        bytes += pending.bytes
        batch.push(pending)
        this.#waiting.splice(i, 1)
      } else i++
    }
    return batch
  }
}
