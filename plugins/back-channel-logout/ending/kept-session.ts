import type { Host, SessionState } from '../../../lib/index.ts'
import { exceptionOf, isMeant, type TerminationJob } from './termination-job.ts'

/** What goes on with the session that a job leaves alone. */
export interface Kept {
  /** The grants that its logins stand on: sessions may share one. */
  readonly grants: ReadonlySet<string>
  /** The clients that have a login of it: a logout token without a sid would end that as well. */
  readonly clients: ReadonlySet<string>
}

const NOTHING: Kept = { grants: new Set(), clients: new Set() }

/** As it stands now: a session that has ended meanwhile keeps nothing, nor does one of another account. */
export async function keptBy(
  { terminator, store }: Pick<Host, 'terminator' | 'store'>,
  job: Pick<TerminationJob, 'id' | 'target'>,
): Promise<Kept> {
  const uid = exceptionOf(job)
  if (uid === undefined) return NOTHING
  const status = await terminator.status(uid)
  if (!status || !('live' in status)) return NOTHING
  return isMeant(store.keys, job, status.live.payload['accountId']) ? keptOf(status.live) : NOTHING
}

function keptOf({ payload: { authorizations } }: SessionState): Kept {
  if (typeof authorizations !== 'object' || authorizations === null) return NOTHING
  const logins: [string, { readonly grantId?: unknown } | null][] = Object.entries(authorizations)
  return {
    grants: new Set(logins.map(([, login]) => login?.grantId).filter((id) => typeof id === 'string')),
    clients: new Set(logins.map(([clientId]) => clientId)),
  }
}
