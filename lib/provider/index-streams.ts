import type { KeyRing } from '../secrets/key-ring.ts'
import type { ModelState } from './model-state.ts'
import { hasGivenIds, type Payload } from './models.ts'

/** A state, and the streams that it is found by. */
type IndexedState = Pick<ModelState, 'payload' | 'indexedBy'>

/**
 * The streams that a stored state is found by, beside its own.
 *
 * @param base - the state that a session's new one follows: a login that it has named already is found by that
 */
export function indexStreams(keys: KeyRing, model: string, payload: Payload, base?: IndexedState): readonly string[] {
  switch (model) {
    case 'Session':
      return [
        ...streamsOf(keys, 'account', payload['accountId']),
        ...streamsOf(keys, 'uid', payload['uid']),
        ...newSids(keys, payload, base).flatMap((sid) => keys.streams('sid', sid)),
      ]
    case 'DeviceCode':
      return streamsOf(keys, 'user_code', payload['userCode'])
    default:
      // Grants, and what applications keep for as long as they like: its account's key is needed as long as one is there.
      return hasGivenIds(model) ? streamsOf(keys, 'account', payload['accountId']) : []
  }
}

function streamsOf(keys: KeyRing, kind: string, value: unknown): readonly string[] {
  return typeof value === 'string' && value !== '' ? keys.streams(kind, value) : []
}

/**
 * A session with many logins names the new ones only: else each write would cost as much as all of them. Once after a
 * hashing key was added it names all: those that only the former key names would not be found when that is removed.
 */
function newSids(keys: KeyRing, payload: Payload, base: IndexedState | undefined): string[] {
  const isNamed = base && streamsOf(keys, 'uid', base.payload['uid']).every((name) => base.indexedBy.includes(name))
  const named = new Set(isNamed ? sidsOf(base.payload) : [])
  return sidsOf(payload).filter((sid) => !named.has(sid))
}

function sidsOf({ authorizations }: Payload): string[] {
  if (typeof authorizations !== 'object' || authorizations === null) return []
  return Object.values(authorizations).flatMap((authorization: { sid?: unknown } | null) =>
    typeof authorization?.sid === 'string' ? [authorization.sid] : [],
  )
}
