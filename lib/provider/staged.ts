import type { Claim, NewEvent } from '../log/commit.ts'
import type { KeyRing } from '../secrets/key-ring.ts'
import { type ModelEventType, type ModelState, type Notes, sealState } from './model-state.ts'
import { isConsumable, isGrantable, type Payload } from './models.ts'

/** What a request wants of one model instance; the later wish replaces the earlier. */
export interface Staged {
  readonly model: string
  /** The names of its stream, the writing key's first. */
  readonly names: readonly string[]
  readonly action: ModelEventType
  /** The state as staged, for `stored` and `consumed`. */
  readonly payload?: Payload
  /** Set when this request used it up: the commit claims it. */
  readonly consumedAt?: number
  /** For a proof that must not be shown twice: the commit that left the state which this follows, `none` for the first. */
  readonly follows?: string
  /** Streams it is found by. */
  readonly index: readonly string[]
}

/** The streams that a model instance is found by, beside its own. */
export function indexOf(keys: KeyRing, model: string, payload: Payload): string[] {
  const index: string[] = []
  const add = (kind: string, value: unknown): void => {
    if (typeof value === 'string' && value !== '') index.push(...keys.streams(kind, value))
  }
  if (model === 'DeviceCode') add('user_code', payload['userCode'])
  if (isGrantable(model)) add('grant', payload['grantId'])
  if (model === 'Session' || model === 'Grant') add('account', payload['accountId'])
  if (model === 'Session') {
    add('uid', payload['uid'])
    for (const sid of sidsOf(payload)) add('sid', sid)
  }
  return index
}

function sidsOf(payload: Payload): string[] {
  const { authorizations } = payload
  if (typeof authorizations !== 'object' || authorizations === null) return []
  return Object.values(authorizations).flatMap((authorization: { sid?: unknown }) =>
    typeof authorization?.sid === 'string' ? [authorization.sid] : [],
  )
}

/** The once-only mark of a consumable: whoever holds it has used it, or revoked it before anybody could. */
export function consumedMark(name: string): string {
  return `${name}#consumed`
}

/** The event that a staged wish becomes. */
export function eventOf(keys: KeyRing, staged: Staged, notes: Notes = {}): NewEvent {
  const { model, names, action, payload = {}, consumedAt, index } = staged
  const [stream = '', ...aliases] = names
  const also = [...aliases, ...index]
  const event = { stream, ...(also.length > 0 && { also }), type: action }
  if (action === 'stored') {
    const used = consumedAt === undefined ? payload : { ...payload, consumed: consumedAt }
    return { ...event, data: { model, ...sealState(keys, stream, used, notes) } }
  }
  return { ...event, data: { model, ...(action === 'consumed' && { at: consumedAt ?? 0 }) } }
}

/** The claims that make it happen once. */
export function claimsOf({ names, consumedAt, follows }: Staged): Claim[] {
  return names.flatMap((name): Claim[] => [
    ...(consumedAt !== undefined ? [{ kind: 'once' as const, mark: consumedMark(name) }] : []),
    ...(follows !== undefined ? [{ kind: 'once' as const, mark: `${name}@${follows}` }] : []),
  ])
}

/** Revoking what lives under a grant also takes its mark, so that an exchange or refresh in flight loses. */
export function revocationClaims(model: string, names: readonly string[], consumed: boolean): Claim[] {
  return isConsumable(model) && !consumed ? names.map((name) => ({ kind: 'once', mark: consumedMark(name) })) : []
}

/** What a request sees of an instance it has staged a wish for. */
export function viewOf({ action, payload, consumedAt }: Staged): Payload | undefined {
  if (action === 'destroyed' || action === 'revoked') return undefined
  return payload && consumedAt !== undefined ? { ...payload, consumed: consumedAt } : payload
}

/** The names of a known state's stream, or those that its id hashes to. */
export function namesOf(keys: KeyRing, model: string, id: string, state: ModelState | undefined): readonly string[] {
  return state ? [...new Set([...keys.streams(model, id), ...state.names])] : keys.streams(model, id)
}
