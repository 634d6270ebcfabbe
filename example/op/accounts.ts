import type { Account } from 'oidc-provider'

/** Whoever the example knows by a full name. Anybody else may come in as well. */
export const KNOWN_ACCOUNTS: ReadonlyMap<string, string> = new Map([
  ['alice', 'Alice Adams'],
  ['bob', 'Bob Brown'],
])

/** The account that a login name stands for; undefined if it cannot be one. */
export function accountIdOf(login: unknown): string | undefined {
  if (typeof login !== 'string') return undefined
  const name = login.trim().toLowerCase()
  return /^[\p{L}\p{N} ._-]{1,40}$/u.test(name) ? name : undefined
}

export function nameOf(accountId: string): string {
  return KNOWN_ACCOUNTS.get(accountId) ?? accountId
}

/** What oidc-provider asks for the claims of a subject. */
export function findAccount(_ctx: unknown, accountId: string): Account {
  return { accountId, claims: () => ({ sub: accountId, name: nameOf(accountId) }) }
}
