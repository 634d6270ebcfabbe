import type { Commit, NewEvent } from '../log/commit.ts'
import { isIn } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import { accountNames } from '../secrets/account-names.ts'
import type { KeyRing } from '../secrets/key-ring.ts'
import type { ModelLog } from './model-log.ts'
import type { Cause } from './session-change.ts'

/** That all logins which began before were ended. */
export interface SignOut {
  /** Its place in the log: a login that began below it has ended. */
  readonly position: number
  /** When it was stored, in milliseconds since 1970. */
  readonly at: number
  readonly cause: Cause
}

/**
 * An account's sign-outs. Ending its sessions is not enough: a login that was typed in before, and is resumed after, would
 * begin a new one. So a sign-out is an event of its own, and a login counts only if its interaction began above the newest
 * one. An append that was acknowledged before another began has the lower position: no clock is asked.
 *
 * @param accountId - undefined: all accounts of the issuer
 * @param endsGrants - whether grants that outlive a logout are revoked with it
 */
export function signOutEvent(
  store: EventStore,
  issuer: string,
  accountId: string | undefined,
  { reason, actor }: Cause,
  endsGrants: boolean,
): NewEvent {
  const { keys } = store
  const names = accountId === undefined ? [allAccounts(issuer)] : accountNames(keys, { issuer, accountId })
  const [stream = '', ...others] = names
  const also = [...others, ...(endsGrants ? grantStreams(keys, issuer, accountId) : [])]
  return {
    stream,
    ...(also.length > 0 && { also }),
    type: 'account.signed_out',
    data: { reason, ...(actor !== undefined && { actor }), ...(endsGrants && { grants: true }) },
  }
}

/** The newest sign-out of an account, whether of it alone or of all accounts, at this issuer or as it was called before. */
export async function newestSignOut(log: ModelLog, accountId: string): Promise<SignOut | undefined> {
  const names = namesOf(log, accountId)
  const commit = await log.newestIn(names)
  return commit && signOutIn(commit, names)
}

/**
 * The newest sign-out here that ends what an account began elsewhere. The clocks of the two are compared, to the second:
 * in case of doubt it began before.
 *
 * @param began - in seconds since 1970. Undefined: nobody knows
 * @param ofGrants - whether only those count that end the grants that outlive a logout
 */
export async function signOutSince(
  log: ModelLog,
  accountId: string,
  { began = 0, ofGrants }: { readonly began: number | undefined; readonly ofGrants: boolean },
): Promise<SignOut | undefined> {
  const { keys } = log.store
  const names = ofGrants
    ? log.issuers.flatMap((issuer) => [
        ...grantStreams(keys, issuer, accountId),
        ...grantStreams(keys, issuer, undefined),
      ])
    : namesOf(log, accountId)
  // Not what is held: it may have been stored a moment ago.
  const [commit] = await log.store.readStreams(names, { direction: 'backwards', limit: 1 })
  return commit && commit.at >= began * 1_000 ? signOutIn(commit, names) : undefined
}

function namesOf(log: ModelLog, accountId: string): string[] {
  return log.issuers.flatMap((issuer) => [...accountNames(log.store.keys, { issuer, accountId }), allAccounts(issuer)])
}

/** Those of its sign-outs that end grants too. Others may come after them, however many. */
function grantStreams(keys: KeyRing, issuer: string, accountId: string | undefined): readonly string[] {
  return accountId === undefined
    ? [`grants_signed_out:all ${issuer}`]
    : keys.streams('grants_signed_out', `${issuer} ${accountId}`)
}

function signOutIn(commit: Commit, names: readonly string[]): SignOut {
  const event = commit.events.find((one) => names.some((name) => isIn(one, name)))
  const { reason, actor } = event?.data ?? {}
  return {
    position: commit.position,
    at: commit.at,
    cause: { reason: String(reason), ...(typeof actor === 'string' && { actor }) },
  }
}

function allAccounts(issuer: string): string {
  return `signed_out:all ${issuer}`
}
