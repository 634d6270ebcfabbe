import type { KeyRing } from './key-ring.ts'

/** Somebody at an issuer: the same id at another issuer may be another person. */
export interface Account {
  readonly issuer: string
  readonly accountId: string
}

/** The streams of the account's sign-outs, by which its key is found as well. */
export function accountNames(keys: KeyRing, { issuer, accountId }: Account): [string, ...string[]] {
  return keys.streams('signed_out', `${issuer} ${accountId}`)
}
