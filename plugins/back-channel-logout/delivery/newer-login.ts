import type { Commit, EventStore } from '../../../lib/index.ts'
import type { Reason } from '../reasons.ts'
import { accountStreams } from '../recording/found-by.ts'
import { fold, type SessionLogout } from '../recording/session-logout.ts'
import { type Registered, sessionLogoutStream, uidOfStream } from '../recording/session-logout-events.ts'
import type { Delivery } from './delivery.ts'

/** Which login is looked for. */
export interface NewerThan {
  /** Two OPs may share a database, and have clients and accounts of the same names. */
  readonly issuer: string
  readonly clientId: string
  readonly accountId: string
  /** The position of the session's end. */
  readonly end: number
}

/** So many commits are read at a time. */
const PAGE = 100

/** Reasons that are about the account, or an operator's decision: newer logins are meant, too, or may be. */
const ALWAYS_TOLD: ReadonlySet<Reason> = new Set([
  'admin',
  'account_disabled',
  'account_deleted',
  'password_changed',
  'signed_out_everywhere',
])

/** Whether a newer login may be a reason not to send it: with a sid it ends none but its own. */
export function maySupersede({ withSid, reason }: Delivery): boolean {
  return !withSid && !ALWAYS_TOLD.has(reason)
}

/**
 * Whether the account has logged in at the client since a session of it ended, and that login lives. Reads what the log
 * holds of the account since then, newest first and page by page, and of each session with such a login its logout.
 */
export async function hasNewerLogin(store: EventStore, newer: NewerThan): Promise<boolean> {
  const seen = new Set<string>()
  for (const stream of accountStreams(store.keys, newer.accountId)) {
    for await (const commit of since(store, stream, newer.end)) {
      for (const [uid, sid] of loginsIn(commit, newer)) {
        const login = JSON.stringify([uid, sid])
        if (seen.has(login)) continue
        seen.add(login)
        if (await livesAndIsNew(store, uid, sid, newer)) return true
      }
    }
  }
  return false
}

async function* since(store: EventStore, stream: string, end: number): AsyncIterable<Commit> {
  for (let from: number | undefined; ; ) {
    const page = await store.read(stream, { direction: 'backwards', limit: PAGE, ...(from !== undefined && { from }) })
    for (const commit of page) {
      if (commit.position <= end) return
      yield commit
      from = commit.position - 1
    }
    if (page.length < PAGE) return
  }
}

/** Session uid and sid of the logins at the client that the commit registers. */
function loginsIn({ events, meta }: Commit, { issuer, clientId }: NewerThan): [uid: string, sid: string][] {
  if (meta.instance !== issuer) return []
  return events.flatMap(({ stream, type, data }): [string, string][] => {
    const uid = uidOfStream(stream)
    if (uid === undefined || type !== 'session_logout.back_channel.registered') return []
    const { client_id, oidc_session_id } = data as unknown as Registered
    return client_id === clientId ? [[uid, oidc_session_id]] : []
  })
}

/** A login may be registered again (its ID tokens carry the sid only now): that makes it no newer. */
async function livesAndIsNew(
  store: EventStore,
  uid: string,
  sid: string,
  { clientId, end }: NewerThan,
): Promise<boolean> {
  const commits = await store.read(sessionLogoutStream(uid))
  const holds = ({ registrations }: SessionLogout): boolean =>
    [...registrations.values()].some((login) => login.clientId === clientId && login.sid === sid)
  return (
    holds(fold(uid, commits)) &&
    !holds(
      fold(
        uid,
        commits.filter(({ position }) => position <= end),
      ),
    )
  )
}
