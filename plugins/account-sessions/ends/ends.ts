import type { TerminationReport } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { WebError } from '../../../lib/web/web-error.ts'
import { hasAccess } from '../own/own-apps.ts'
import { clientIdsOf, ownSession } from '../own/own-sessions.ts'
import type { OwnParts } from '../own/parts.ts'
import type { SignedIn } from '../who/signed-in.ts'
import { ACTOR } from './actor.ts'
import type { EndReference } from './end-reference.ts'

/** What a request has ended. */
export interface Ended {
  readonly reference: EndReference
  /** False: it goes on beside the requests, since it is much. */
  readonly isComplete: boolean
  /** Whether the session of this browser is known to have ended with it. */
  readonly isHere: boolean
}

/** So long a request waits for what it ends, in milliseconds; what is left is done beside the requests. */
const PATIENCE_MS = 10_000

/** So many sessions are looked at for apps that cannot be told. */
const SESSIONS = 20

/** By how much the clocks of processes that write to one log may be apart, in milliseconds. */
const CLOCKS_APART_MS = 600_000

/**
 * Ends one session of the account.
 *
 * @throws WebError (`SESSION_UNKNOWN`): the account has no such session, whether or not somebody else has
 */
export async function endSession(parts: OwnParts, { accountId, sessionUid }: SignedIn, uid: string): Promise<Ended> {
  const { host, logout } = parts
  const session = await ownSession(host, accountId, uid)
  const at = timeOf(parts)
  const options = { actor: ACTOR, account: accountId, reason: 'single_session' } as const
  // Looked at only for its clients: what it ends is decided by the commit that ends it.
  const { sessions } = session ? await logout.terminateSession(uid, options) : { sessions: 0 }
  if (!session || sessions === 0)
    throw new WebError(404, 'SESSION_UNKNOWN', 'there is no such session; it may have ended already')
  const reference = { of: 'session', id: uid, at, clientIds: clientIdsOf(session) } as const
  return { reference, isComplete: true, isHere: uid === sessionUid }
}

/** Ends all sessions of the account but the one of this browser. */
export async function endOthers(parts: OwnParts, { accountId, sessionUid }: SignedIn): Promise<Ended> {
  const clientIds = new Set<string>()
  for await (const { uid, logins } of parts.logout.sessions({ account: accountId }, { limit: SESSIONS })) {
    if (uid !== sessionUid) for (const { clientId } of logins) clientIds.add(clientId)
  }
  const options = { actor: ACTOR, reason: 'signed_out_everywhere' } as const
  const ended = await ordered(parts, [...clientIds], (waiting) =>
    parts.logout.terminateAccount(accountId, {
      ...options,
      ...waiting,
      ...(sessionUid !== undefined && { except: sessionUid }),
    }),
  )
  // Where it is not known which session is this browser's, that one has ended as well.
  return { ...ended, isHere: sessionUid === undefined }
}

/**
 * Takes back what the account has allowed an app, and ends its logins there.
 *
 * @throws WebError (`APP_UNKNOWN`): it has no access to the account, whether or not there is such an app
 */
export async function revokeApp(parts: OwnParts, who: SignedIn, clientId: string): Promise<Ended> {
  if (!(await hasAccess(parts, who, clientId)))
    throw new WebError(404, 'APP_UNKNOWN', 'no such app has access; it may have been revoked already')
  const options = { actor: ACTOR } as const
  const ended = await ordered(parts, [clientId], (waiting) =>
    parts.logout.terminateClientOfAccount(who.accountId, clientId, { ...options, ...waiting }),
  )
  return { ...ended, isHere: false }
}

/**
 * Waits for a termination, but not for ever: once it is recorded it is carried out whatever becomes of this request.
 *
 * @throws WebError (`ENDED_IN_PART`): something could not be ended; nobody must take it for ended
 */
async function ordered(
  parts: OwnParts,
  clientIds: readonly string[],
  terminate: (waiting: {
    readonly signal: AbortSignal
    readonly onOrdered: (id: string) => void
  }) => Promise<Pick<TerminationReport, 'failed'>>,
): Promise<Omit<Ended, 'isHere'>> {
  const { clock } = parts.host
  const at = timeOf(parts)
  const impatient = new AbortController()
  const timer = clock.setTimeout(() => impatient.abort(), PATIENCE_MS)
  let id: string | undefined
  const reference = (known: string): EndReference => ({ of: 'termination', id: known, at, clientIds })
  let failed: number
  try {
    const report = await terminate({
      signal: impatient.signal,
      onOrdered: (recorded) => {
        id = recorded
      },
    })
    failed = report.failed
  } catch (error) {
    if (id === undefined) throw error
    return { reference: reference(id), isComplete: false }
  } finally {
    timer.cancel()
  }
  if (failed > 0) throw new WebError(503, 'ENDED_IN_PART', 'some of it could not be ended: ask for it again')
  return { reference: reference(String(id)), isComplete: true }
}

/** The end is recorded by the store's clock, or that of another process. */
function timeOf({ host }: OwnParts): number {
  return host.clock.now() - CLOCKS_APART_MS
}
