import type { Commit, Event } from '../../../lib/index.ts'
import { type Terminated, uidOfStream } from '../recording/session-logout-events.ts'
import { isUidOfGrant } from './grant-logout.ts'
import type { Tally } from './termination-events.ts'

/** What the commits of a job's stream add up to. */
export function tallyOf(commits: readonly Commit[]): Tally {
  const events = commits.flatMap((commit) => commit.events)
  const ends = events.filter(({ type }) => type === 'session_logout.terminated')
  return {
    sessions: ends.filter(({ stream }) => !isUidOfGrant(uidOfStream(stream) ?? '')).length,
    logins: ends.reduce((sum, { data }) => sum + ((data as Partial<Terminated>).logins ?? 0), 0),
    grants: events.filter(isEndOfGrant).length,
  }
}

export function plus(a: Tally, b: Tally): Tally {
  return { sessions: a.sessions + b.sessions, logins: a.logins + b.logins, grants: a.grants + b.grants }
}

/** A grant that lived until then is found by its account. One that had been revoked before is revoked again, and not counted. */
function isEndOfGrant({ type, stream, also }: Event): boolean {
  return type === 'destroyed' && stream.startsWith('Grant:') && (also ?? []).some((name) => name.startsWith('account:'))
}
