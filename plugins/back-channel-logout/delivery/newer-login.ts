import type { Commit, EventStore } from '../../../lib/index.ts'
import type { Reason } from '../reasons.ts'
import { accountStreams } from '../recording/index-streams.ts'
import { pagesOf } from '../recording/pages.ts'
import {
  type Registered,
  sessionLogoutStream,
  type Terminated,
  uidOfStream,
} from '../recording/session-logout-events.ts'
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

/** So many pages are read of a stream. What is further back is not looked for: then the RP is told. */
const MOST_PAGES = 10

/** Reasons that are about the account, or an operator's decision: newer logins are meant, too, or may be. */
const ALWAYS_TOLD: ReadonlySet<Reason> = new Set([
  'admin',
  'account_disabled',
  'account_deleted',
  'password_changed',
  'signed_out_everywhere',
])

/**
 * Whether a newer login may be a reason not to send it. With a sid a token ends none but its own, unless its RP goes by
 * the `sub` that is in it as well.
 */
export function maySupersede({ includeSid, reason }: Delivery, goesBySub: boolean): boolean {
  return (!includeSid || goesBySub) && !ALWAYS_TOLD.has(reason)
}

/**
 * Whether the account has logged in at the client since a session of it ended, and that login lives. Reads what the log
 * holds of the account since then, the newest first: whatever ended a login is met before the login. Of a session that is
 * older than the end it looks whether the login is, too.
 */
export async function hasNewerLogin(store: EventStore, newer: NewerThan): Promise<boolean> {
  const ended = new Set<string>()
  const seen = new Set<string>()
  for await (const commit of newestFirst(store, accountStreams(store.keys, newer.accountId), newer.end + 1)) {
    for (const event of commit.events.toReversed()) {
      const uid = uidOfStream(event.stream)
      if (uid === undefined) continue
      if (event.type === 'session_logout.terminated') {
        const { scope } = event.data as unknown as Terminated
        if (scope === 'session') ended.add(uid)
        else for (const sid of scope) ended.add(loginOf(uid, sid))
      }
      const sid = commit.meta.instance === newer.issuer ? sidIn(event, newer) : undefined
      if (sid === undefined || ended.has(uid) || ended.has(loginOf(uid, sid)) || seen.has(loginOf(uid, sid))) continue
      seen.add(loginOf(uid, sid))
      if (await isNew(store, uid, sid, newer)) return true
    }
  }
  return false
}

async function* newestFirst(store: EventStore, streams: readonly string[], from: number): AsyncGenerator<Commit, void> {
  const to = await store.end()
  if (to < from) return
  let pages = 0
  for await (const page of pagesOf(store, streams, { from, to, order: 'newest', size: PAGE })) {
    yield* page
    pages += 1
    if (pages === MOST_PAGES) return
  }
}

/** The login was not registered before the end: to register it again (its ID tokens carry the sid only now) is no login. */
async function isNew(store: EventStore, uid: string, sid: string, newer: NewerThan): Promise<boolean> {
  const stream = sessionLogoutStream(uid)
  let pages = 0
  for await (const page of pagesOf(store, [stream], { from: 1, to: newer.end, order: 'newest', size: PAGE })) {
    const known = page.flatMap(({ events }) => events.filter((event) => event.stream === stream))
    if (known.some((event) => sidIn(event, newer) === sid)) return false
    pages += 1
    if (pages === MOST_PAGES) return false
  }
  return true
}

/** The sid of the login at the client that the event registers. */
function sidIn({ type, data }: Commit['events'][number], { clientId }: NewerThan): string | undefined {
  if (type !== 'session_logout.back_channel.registered') return undefined
  const { client_id, oidc_session_id } = data as unknown as Registered
  return client_id === clientId ? oidc_session_id : undefined
}

function loginOf(uid: string, sid: string): string {
  return JSON.stringify([uid, sid])
}
