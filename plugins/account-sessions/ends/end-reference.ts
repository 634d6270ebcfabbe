import { isUnreadable, type Json, type JsonObject, type KeyRing } from '../../../lib/index.ts'

/** What was ended by one request, so that the page can say later what became of it. */
export interface EndReference {
  /** A session, or a termination of many. */
  readonly of: 'session' | 'termination'
  /** The session's uid, or the termination's id. */
  readonly id: string
  /** When, milliseconds since 1970. */
  readonly at: number
  /** Clients that had a login in it, as far as they were looked at: some of them cannot be told. */
  readonly clientIds: readonly string[]
}

/** So many clients, and so many characters of their ids, are remembered: a reference stands in a URL. */
const CLIENTS = 20
const CHARACTERS = 1_000

/** As text for a URL. Sealed for the account: nobody else can read it, or ask what became of something else. */
export function toText(keys: KeyRing, accountId: string, { of, id, at, clientIds }: EndReference): string {
  const kept: string[] = []
  let left = CHARACTERS
  for (const clientId of clientIds) {
    left -= clientId.length
    if (left < 0 || kept.length === CLIENTS) break
    kept.push(clientId)
  }
  const sealed = keys.seal({ of, id, at, clientIds: kept }, contextOf(accountId))
  return Buffer.from(sealed).toString('base64url')
}

/** Undefined: it is none, or was given to somebody else. */
export function fromText(keys: KeyRing, accountId: string, text: string): EndReference | undefined {
  try {
    return referenceIn(keys.open(Buffer.from(text, 'base64url').toString(), contextOf(accountId)))
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
}

function contextOf(accountId: string): string {
  return `account_sessions:end:${accountId}`
}

function referenceIn(opened: Json): EndReference | undefined {
  if (typeof opened !== 'object' || opened === null) return undefined
  const { of, id, at, clientIds } = opened as JsonObject
  if ((of !== 'session' && of !== 'termination') || typeof id !== 'string' || typeof at !== 'number') return undefined
  const known = Array.isArray(clientIds) ? clientIds.filter((clientId) => typeof clientId === 'string') : []
  return { of, id, at, clientIds: known }
}
