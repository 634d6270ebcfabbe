import type { KeyRing } from '../secrets/key-ring.ts'
import type { Payload } from './models.ts'

/**
 * The streams that a stored state is found by, beside its own.
 *
 * @param base - the state that a session's new one follows: a login that it has named already is found by that
 */
export function indexStreams(keys: KeyRing, model: string, payload: Payload, base?: Payload): readonly string[] {
  switch (model) {
    case 'Session':
      return [
        ...streamsOf(keys, 'account', payload['accountId']),
        ...streamsOf(keys, 'uid', payload['uid']),
        ...newSids(payload, base).flatMap((sid) => keys.streams('sid', sid)),
      ]
    case 'Grant':
      return streamsOf(keys, 'account', payload['accountId'])
    case 'DeviceCode':
      return streamsOf(keys, 'user_code', payload['userCode'])
    default:
      return []
  }
}

function streamsOf(keys: KeyRing, kind: string, value: unknown): readonly string[] {
  return typeof value === 'string' && value !== '' ? keys.streams(kind, value) : []
}

/** A session with many logins names the new ones only: else each write would cost as much as all of them. */
function newSids(payload: Payload, base: Payload | undefined): string[] {
  const named = new Set(base ? sidsOf(base) : [])
  return sidsOf(payload).filter((sid) => !named.has(sid))
}

function sidsOf({ authorizations }: Payload): string[] {
  if (typeof authorizations !== 'object' || authorizations === null) return []
  return Object.values(authorizations).flatMap((authorization: { sid?: unknown } | null) =>
    typeof authorization?.sid === 'string' ? [authorization.sid] : [],
  )
}
