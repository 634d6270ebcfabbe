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
  /** What kept it at the last try, if anything did: its caller is told when the time is over. */
  failure: unknown
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
    failure: undefined,
    settled: false,
    resolve: (appended) => settle(() => caller.resolve(appended)),
    reject: (error) => settle(() => caller.reject(error)),
  }
  return pending
}
