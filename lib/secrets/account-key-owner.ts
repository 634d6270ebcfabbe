import { SealBrokenError } from '../errors.ts'
import type { AccountKeyRecord } from '../log/account-key-table.ts'
import { type Account, accountNames } from './account-names.ts'
import { type DataKey, dataKeyIn, type KeyRing } from './key-ring.ts'
import { isUnreadable } from './unreadable.ts'

/** Whose a key is, sealed with the key itself: so nobody can say otherwise who has only the database. */
export function sealedOwner(keys: KeyRing, { issuer, accountId }: Account, key: DataKey): string {
  return keys.seal({ issuer, account_id: accountId }, ownerStream(key.id), key)
}

/**
 * Whose a key is.
 *
 * @returns undefined: it was destroyed
 * @throws KeyUnknownError (`KEY_UNKNOWN`), SealBrokenError (`SEAL_BROKEN`)
 */
export function ownerOf(keys: KeyRing, { id, sealed, account }: AccountKeyRecord): Account | undefined {
  if (sealed === undefined) return undefined
  const key = keys.openDataKey(id, sealed)
  if (account === undefined || dataKeyIn(account) !== id) throw new SealBrokenError(ownerStream(id))
  const opened = keys.open(account, ownerStream(id), key)
  const { issuer, account_id } = opened as { readonly issuer: string; readonly account_id: string }
  return { issuer, accountId: account_id }
}

/** The same; undefined, too, where the key cannot be read. */
export function ownerIfReadable(keys: KeyRing, record: AccountKeyRecord): Account | undefined {
  try {
    return ownerOf(keys, record)
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
}

/**
 * Whether a key is found by what is its account's. Names under a hashing key that is not configured any more are nobody's
 * that can be told: one that fits is enough.
 */
export function isFoundRightly(keys: KeyRing, { names, formerNames = [] }: AccountKeyRecord, owner: Account): boolean {
  const own = accountNames(keys, owner)
  return (names.length > 0 ? names : formerNames).some((name) => own.includes(name))
}

/** Of two ids that are the same at two issuers each may be somebody else. */
export function isSame(one: Account, other: Account): boolean {
  return one.issuer === other.issuer && one.accountId === other.accountId
}

function ownerStream(id: string): string {
  return `account_key:${id}`
}
