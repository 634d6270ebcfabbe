import { isUnreadable, type Json, type JsonObject } from '../../../lib/index.ts'
import type { OwnParts } from '../own/parts.ts'

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

/** By what references are sealed. */
type Sealer = Pick<OwnParts['host'], 'store' | 'provider'>

/** As text for a URL. Sealed for the account: nobody else can read it, or ask what became of something else. */
export function toText(host: Sealer, accountId: string, { of, id, at, clientIds }: EndReference): string {
  const kept: string[] = []
  let left = CHARACTERS
  for (const clientId of clientIds) {
    left -= clientId.length
    if (left < 0 || kept.length === CLIENTS) break
    kept.push(clientId)
  }
  const sealed = host.store.keys.seal({ of, id, at, clientIds: kept }, contextOf(host, accountId))
  return Buffer.from(sealed).toString('base64url')
}

/** Undefined: it is none, or was given to somebody else. */
export function fromText(host: Sealer, accountId: string, text: string): EndReference | undefined {
  try {
    const sealed = Buffer.from(text, 'base64url').toString()
    return referenceIn(host.store.keys.open(sealed, contextOf(host, accountId)))
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
}

/** Somebody else has this account at another issuer, which may share the keys. An issuer holds no space. */
function contextOf({ provider }: Sealer, accountId: string): string {
  return `account_sessions:end:${provider.issuer} ${accountId}`
}

function referenceIn(opened: Json): EndReference | undefined {
  if (typeof opened !== 'object' || opened === null) return undefined
  const { of, id, at, clientIds } = opened as JsonObject
  if ((of !== 'session' && of !== 'termination') || typeof id !== 'string' || typeof at !== 'number') return undefined
  const known = Array.isArray(clientIds) ? clientIds.filter((clientId) => typeof clientId === 'string') : []
  return { of, id, at, clientIds: known }
}
