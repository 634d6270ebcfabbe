import { type Commit, type Host, KeyUnknownError, SealBrokenError, type SessionState } from '../../../lib/index.ts'
import type { ToldClients } from '../clients/told-clients.ts'
import { assertKnown, assertReading, assertText, type ReadingOptions } from '../recording/criteria.ts'
import { accountStreams } from '../recording/found-by.ts'
import { loginsOf } from '../recording/logins.ts'
import { PAGE_SIZE, pagesOf } from '../recording/pages.ts'
import { deadlineOf } from './expiry.ts'

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
  readonly tellable: boolean
}

/** What they are read with. */
export interface LiveSessionParts {
  readonly host: Pick<Host, 'store' | 'endings' | 'clock'>
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
 * The live sessions of an account, each once: those that were used last come first. Which there are is what the log says
 * when it begins; each is told as it stands when its turn comes. The uids of the account's sessions, also of ended ones,
 * are remembered meanwhile: a session is in the log once for each write, and is looked at once. One that cannot be read,
 * for want of a key, is left out: the others must be seen.
 */
export async function* liveSessionsOf(
  { host, toleranceSeconds, clients }: LiveSessionParts,
  { account }: LiveSessionCriteria,
  { limit = Number.POSITIVE_INFINITY, signal }: Pick<ReadingOptions, 'limit' | 'signal'>,
  size: number = PAGE_SIZE,
): AsyncGenerator<LiveSession, void> {
  const { store, endings, clock } = host
  const looked = new Set<string>()
  const isNew = (uid: string): boolean => !looked.has(uid) && looked.add(uid).has(uid)
  const isExpired = (session: SessionState): boolean =>
    (deadlineOf(session, toleranceSeconds) ?? Number.POSITIVE_INFINITY) <= clock.now()
  const uidsIn = async (commit: Commit): Promise<string[]> =>
    (await ifReadable(() => endings.loggedInBy(commit)))?.map(({ uid }) => uid) ?? []
  const streams = accountStreams(store.keys, account)
  const to = await store.end()
  let left = limit
  for await (const page of pagesOf(store, streams, { from: 1, to, order: 'newest', size })) {
    if (signal?.aborted) return
    const uids = (await Promise.all(page.map(uidsIn))).flat().filter(isNew)
    const standings = await Promise.all(uids.map((uid) => ifReadable(() => endings.look(uid))))
    for (const standing of standings) {
      if (!standing || !('lives' in standing)) continue
      // Another account may have logged in with it meanwhile.
      if (standing.lives.payload['accountId'] !== account || isExpired(standing.lives)) continue
      yield await liveSessionOf(standing.lives, account, clients)
      left -= 1
      if (left === 0 || signal?.aborted) return
    }
  }
}

async function ifReadable<T>(read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof KeyUnknownError || error instanceof SealBrokenError) return undefined
    throw error
  }
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
        tellable: (await clients.find(login.clientId)) !== undefined,
      })),
    ),
  }
}
