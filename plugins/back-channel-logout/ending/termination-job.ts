import type { JsonObject, KeyRing, Payload } from '../../../lib/index.ts'
import { accountStreams, terminationStream } from '../recording/index-streams.ts'
import type { CandidatePlace, Wanted } from './candidates.ts'
import { NOTHING_YET, type OrderReason, type Tally, type TerminationTarget } from './termination-events.ts'

/** A job as it lies in the work table: what is to end, and how far that got. */
export interface TerminationJob {
  readonly kind: 'job'
  readonly id: string
  readonly target: TerminationTarget
  readonly reason: OrderReason
  readonly actor: string
  /** Where the job stands in the log: what began after it is not meant. */
  readonly position: number
  /** Sessions first: with each of them go its grants. Then the grants that are left, where the reason asks for them. */
  readonly pass: 'sessions' | 'grants'
  /** How far the pass has got; absent: it begins. */
  readonly place?: CandidatePlace
  readonly tally: Tally
  readonly failed: number
  /** Up to where in the log the job's own ends are counted. */
  readonly counted: number
}

/** A job at its beginning. */
export function newTerminationJob(
  id: string,
  position: number,
  { target, reason, actor }: Pick<TerminationJob, 'target' | 'reason' | 'actor'>,
): TerminationJob {
  const start = { pass: 'sessions' as const, tally: NOTHING_YET, failed: 0, counted: position }
  return { kind: 'job', id, target, reason, actor, position, ...start }
}

/** The account whose sessions are to end. Undefined: the job is not about one. */
export function accountOf(keys: KeyRing, { id, target }: Pick<TerminationJob, 'id' | 'target'>): string | undefined {
  return target.kind === 'account' ? String(keys.open(target.account, terminationStream(id))) : undefined
}

/** Whether what is somebody's is meant: wherever in the log it was found, and whosever it was before. */
export function isMeant(
  keys: KeyRing,
  job: Pick<TerminationJob, 'id' | 'target'>,
  accountId: unknown,
): accountId is string {
  return typeof accountId === 'string' && accountId === (accountOf(keys, job) ?? accountId)
}

/** Whether a session is meant: one of them may go on. */
export function isMeantSession(
  keys: KeyRing,
  job: Pick<TerminationJob, 'id' | 'target'>,
  { accountId, uid }: Payload,
): boolean {
  return isMeant(keys, job, accountId) && uid !== exceptionOf(job)
}

/** The uid of the session that goes on. Undefined: none does. */
export function exceptionOf({ target }: Pick<TerminationJob, 'target'>): string | undefined {
  return target.kind === 'account' ? target.except : undefined
}

/** Whether no page of it was done yet. */
export function isAtItsBeginning({ pass, place }: TerminationJob): boolean {
  return pass === 'sessions' && place === undefined
}

/** What the job's pass looks for. */
export function wantedBy(keys: KeyRing, job: TerminationJob): Wanted {
  const account = accountOf(keys, job)
  return {
    kind: job.pass === 'sessions' ? 'session' : 'grant',
    before: job.position,
    ...(account !== undefined && { accounts: accountStreams(keys, account) }),
  }
}

/** The job after a page; undefined: there is no other. */
export function afterPage(job: TerminationJob, next: CandidatePlace | undefined): TerminationJob | undefined {
  const { place: _, ...rest } = job
  if (next) return { ...rest, place: next }
  return job.pass === 'sessions' && revokesLeftGrants(job) ? { ...rest, pass: 'grants' } : undefined
}

/** Which grants go with a session. Those of offline access outlive a logout, but not the account, nor its password. */
export function grantsWithSession({
  target,
  reason,
}: Pick<TerminationJob, 'target' | 'reason'>): 'sessionBound' | 'all' {
  return reason !== 'admin' || clientOf({ target }) !== undefined ? 'all' : 'sessionBound'
}

/** The client whose logins alone are to end; undefined: it is about whole sessions. */
export function clientOf({ target }: Pick<TerminationJob, 'target'>): string | undefined {
  return target.kind === 'all' ? undefined : target.client_id
}

/** Whether grants that no live session holds are revoked, too. */
export function revokesLeftGrants(job: Pick<TerminationJob, 'target' | 'reason'>): boolean {
  return grantsWithSession(job) === 'all'
}

export function toJobBody(job: TerminationJob): JsonObject {
  return job as unknown as JsonObject
}
