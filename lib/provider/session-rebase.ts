import { isDeepStrictEqual } from 'node:util'
import type { Payload } from './models.ts'

/** Fields that change with every save, or that the provider makes anew. */
type Authorizations = Readonly<Record<string, unknown>>

/**
 * Puts a request's change of a session on top of a newer state: three states in, one out, or the reason why that cannot
 * be. Authorizations merge by client, the later expiry counts, everything else must be unchanged on one side.
 *
 * @param read - the state that the request started from
 * @param written - what it wants to write
 * @param newest - what somebody else has written meanwhile
 */
export function rebase(read: Payload, written: Payload, newest: Payload): { payload: Payload } | { conflict: string } {
  if (newest['accountId'] !== read['accountId']) return { conflict: 'its account changed' }
  if (newest['jti'] !== read['jti']) return { conflict: 'its id rotated' }
  const merged: Record<string, unknown> = {}
  for (const field of fieldsOf(read, written, newest)) {
    if (field === 'exp' || field === 'iat') continue
    const value =
      field === 'authorizations'
        ? mergeAuthorizations(read, written, newest)
        : merge(read[field], written[field], newest[field])
    if (value === CONFLICT) return { conflict: `\`${field}\` changed on both sides` }
    if (value !== undefined) merged[field] = value
  }
  return { payload: { ...merged, ...later('iat', written, newest), ...later('exp', written, newest) } }
}

const CONFLICT = Symbol('conflict')

function merge(read: unknown, written: unknown, newest: unknown): unknown {
  if (isDeepStrictEqual(written, newest) || isDeepStrictEqual(read, newest)) return written
  if (isDeepStrictEqual(read, written)) return newest
  return CONFLICT
}

function mergeAuthorizations(read: Payload, written: Payload, newest: Payload): unknown {
  const [before, mine, theirs] = [read, written, newest].map(authorizationsOf) as [
    Authorizations,
    Authorizations,
    Authorizations,
  ]
  const merged: Record<string, unknown> = {}
  for (const client of fieldsOf(before, mine, theirs)) {
    const value = merge(own(before, client), own(mine, client), own(theirs, client))
    if (value === CONFLICT) return CONFLICT
    if (value !== undefined) define(merged, client, value)
  }
  const absent = written['authorizations'] === undefined && newest['authorizations'] === undefined
  return absent ? undefined : merged
}

function authorizationsOf({ authorizations }: Payload): Authorizations {
  return typeof authorizations === 'object' && authorizations !== null ? (authorizations as Authorizations) : {}
}

function later(field: 'exp' | 'iat', written: Payload, newest: Payload): Payload {
  const times = [written[field], newest[field]].filter((time) => typeof time === 'number')
  return times.length > 0 ? { [field]: Math.max(...times) } : {}
}

function fieldsOf(...objects: readonly Payload[]): Set<string> {
  return new Set(objects.flatMap((object) => Object.keys(object)))
}

function own(object: Authorizations, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

/** A client may be called `__proto__`. */
function define(object: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
}
