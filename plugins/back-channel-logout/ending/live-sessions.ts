import type { Host, SessionName, SessionState, SessionStatus } from '../../../lib/index.ts'
import type { ToldClients } from '../clients/told-clients.ts'
import { assertKnown, assertReading, assertText, type ReadingOptions } from '../recording/criteria.ts'
import { accountStreams } from '../recording/index-streams.ts'
import { loginsOf } from '../recording/logins.ts'
import { PAGE_SIZE } from '../recording/pages.ts'
import { type CandidatePage, type CandidatePlace, candidates, type Wanted } from './candidates.ts'
import { earlierTime } from './endings.ts'
import { deadlineOf } from './expiry.ts'
import { ifReadable } from './if-readable.ts'
import { streamOfEntry } from './live-index.ts'

/** So many sessions are looked at at a time. */
const LOOKS_AT_ONCE = 16

/** Whose live sessions. */
export interface LiveSessionCriteria {
  /** The account id. */
  readonly account: string
}

/** A session of somebody that has neither ended nor expired. */
export interface LiveSession {
  readonly uid: string
  readonly accountId: string
  /** When the user logged in last, milliseconds since 1970; absent where the provider does not know. */
  readonly since?: number
  /** When it expires, as it stands, milliseconds since 1970; absent: never. */
  readonly expiresAt?: number
  /** The RPs that have a login of it, in the order in which they got it. */
  readonly logins: readonly LiveLogin[]
}

/** An RP's login in a session. */
export interface LiveLogin {
  readonly clientId: string
  /** The RP's session id for it (Back-Channel Logout 1.0 section 2.1). */
  readonly sid: string
  /** Whether the RP can be told when it ends: this process knows a usable URI of its client now. */
  readonly hasBackchannelLogout: boolean
}

/** What they are read with. */
export interface LiveSessionParts {
  readonly host: Pick<Host, 'store' | 'terminator' | 'clock'>
  /** The provider's `clockTolerance`: as late as that it still takes a session. */
  readonly toleranceSeconds: number
  readonly clients: Pick<ToldClients, 'find'>
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertLiveSessions(
  criteria: LiveSessionCriteria,
  options: Pick<ReadingOptions, 'limit' | 'signal'>,
): void {
  assertKnown(criteria, ['account'])
  assertText('account', criteria.account)
  assertKnown(options, ['limit', 'signal'])
  assertReading(options)
}

/**
 * The live sessions of an account, each once: up to a hundred in the order in which they were used last, the newest
 * first; beyond that those that began last first. Which there are is what the log says when it begins; each is told as it
 * stands when its turn comes. What ended before costs nothing. The uids of those that live are remembered meanwhile: one
 * may be met in the index and in the log. One that cannot be read, for want of a key, is left out: the others must be
 * seen.
 */
export async function* liveSessionsOf(
  parts: LiveSessionParts,
  { account }: LiveSessionCriteria,
  { limit = Number.POSITIVE_INFINITY, signal }: Pick<ReadingOptions, 'limit' | 'signal'>,
  size: number = PAGE_SIZE,
): AsyncGenerator<LiveSession, void> {
  const { host, toleranceSeconds } = parts
  const { store, terminator } = host
  const told = new Set<string>()
  const isExpired = isExpiredBy(await earlierTime(host), toleranceSeconds)
  const before = (await store.end()) + 1
  const wanted: Wanted = { kind: 'session', accounts: accountStreams(store.keys, account), before }
  let left = limit
  let place: CandidatePlace | undefined
  do {
    if (signal?.aborted) return
    const page: CandidatePage = await candidates(store, wanted, place, size)
    for await (const session of liveSessionsIn(parts, lastUsedFirst(terminator, page), isExpired, told)) {
      // Another account may have logged in with it meanwhile.
      if (session.accountId !== account) continue
      yield session
      left -= 1
      if (left === 0 || signal?.aborted) return
    }
    place = page.next
  } while (place)
}

/** Whether a session has expired by then: as late as any process of the provider might still take it. */
export function isExpiredBy(now: number, toleranceSeconds: number): (session: SessionState) => boolean {
  return (session) => (deadlineOf(session, toleranceSeconds) ?? Number.POSITIVE_INFINITY) <= now
}

/**
 * Those of these sessions that live, as they stand, of whichever account.
 *
 * @param told - by uid: they are left out, and what is told is added
 */
export async function* liveSessionsIn(
  { host, clients }: LiveSessionParts,
  names: readonly SessionName[],
  isExpired: (session: SessionState) => boolean,
  told: Set<string> = new Set(),
): AsyncGenerator<LiveSession, void> {
  for await (const standing of looks(host.terminator, names)) {
    if (!standing || !('live' in standing) || told.has(standing.live.uid)) continue
    const { accountId } = standing.live.payload
    if (typeof accountId !== 'string' || isExpired(standing.live)) continue
    told.add(standing.live.uid)
    yield await liveSessionOf(standing.live, accountId, clients)
  }
}

/** How they stand, some of them looked at at a time. */
async function* looks(
  terminator: Pick<Host['terminator'], 'status'>,
  names: readonly SessionName[],
): AsyncGenerator<SessionStatus | undefined, void> {
  for (let i = 0; i < names.length; i += LOOKS_AT_ONCE)
    yield* await Promise.all(names.slice(i, i + LOOKS_AT_ONCE).map((name) => ifReadable(() => terminator.status(name))))
}

/** The sessions of a page, each once. */
export function lastUsedFirst(
  terminator: Pick<Host['terminator'], 'sessionsStoredBy'>,
  page: Pick<CandidatePage, 'commits' | 'entries'>,
): SessionName[] {
  const found = [
    ...page.commits.flatMap((commit) =>
      terminator.sessionsStoredBy(commit).map((name) => ({ name, position: commit.position })),
    ),
    ...page.entries.map((entry) => ({ name: [streamOfEntry(entry)], position: entry.position })),
  ]
  const sorted = found.sort((a, b) => b.position - a.position)
  return [...new Map(sorted.map(({ name }) => [String(name), name])).values()]
}

async function liveSessionOf(
  { uid, payload }: SessionState,
  accountId: string,
  clients: Pick<ToldClients, 'find'>,
): Promise<LiveSession> {
  const { loginTs, exp } = payload
  return {
    uid,
    accountId,
    ...(typeof loginTs === 'number' && { since: loginTs * 1_000 }),
    ...(typeof exp === 'number' && { expiresAt: exp * 1_000 }),
    logins: await Promise.all(
      loginsOf(payload).map(async (login) => ({
        ...login,
        hasBackchannelLogout: (await clients.find(login.clientId)) !== undefined,
      })),
    ),
  }
}
