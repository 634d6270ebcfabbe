import type { Commit, NewEvent } from '../log/commit.ts'
import { isIn } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import { accountNames } from '../secrets/account-names.ts'
import type { ModelLog } from './model-log.ts'
import type { Cause } from './session-change.ts'

/** That all logins which began before were ended. */
export interface SignOut {
  /** Its place in the log: a login that began below it has ended. */
  readonly position: number
  readonly cause: Cause
}

/**
 * An account's sign-outs. Ending its sessions is not enough: a login that was typed in before, and is resumed after, would
 * begin a new one. So a sign-out is an event of its own, and a login counts only if its interaction began above the newest
 * one. An append that was acknowledged before another began has the lower position: no clock is asked.
 *
 * @param accountId - undefined: all accounts of the issuer
 */
export function signOutEvent(
  store: EventStore,
  issuer: string,
  accountId: string | undefined,
  { reason, actor }: Cause,
): NewEvent {
  const names = accountId === undefined ? [allAccounts(issuer)] : accountNames(store.keys, { issuer, accountId })
  const [stream = '', ...also] = names
  return {
    stream,
    ...(also.length > 0 && { also }),
    type: 'account.signed_out',
    data: { reason, ...(actor !== undefined && { actor }) },
  }
}

/** The newest sign-out of an account, whether of it alone or of all accounts, at this issuer or as it was called before. */
export async function newestSignOut(log: ModelLog, accountId: string): Promise<SignOut | undefined> {
  const names = log.issuers.flatMap((issuer) => [
    ...accountNames(log.store.keys, { issuer, accountId }),
    allAccounts(issuer),
  ])
  const commit = await log.newestIn(names)
  return commit && signOutIn(commit, names)
}

function signOutIn(commit: Commit, names: readonly string[]): SignOut {
  const event = commit.events.find((one) => names.some((name) => isIn(one, name)))
  const { reason, actor } = event?.data ?? {}
  return {
    position: commit.position,
    cause: { reason: String(reason), ...(typeof actor === 'string' && { actor }) },
  }
}

function allAccounts(issuer: string): string {
  return `signed_out:all ${issuer}`
}
