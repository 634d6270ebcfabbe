import type { Event, Json, JsonObject } from '../log/commit.ts'
import type { AccountKeys } from '../secrets/account-keys.ts'
import type { Account } from '../secrets/account-names.ts'
import { withoutRepeatedParams, withRepeatedParams } from './interaction-payload.ts'
import { type GrantSeen, generationOf, isMoved, type LocatedEvent, type ModelRecord, ownNames } from './model-record.ts'
import { accountIn, type Payload } from './models.ts'

/** What plugins keep with a session's state: by plugin, anything. */
export type Notes = Readonly<Record<string, JsonObject>>

/** The state of a model instance. */
export interface ModelState {
  readonly model: string
  /** All names of its own stream. */
  readonly names: readonly string[]
  /** The other streams that the event names which stored it. */
  readonly indexedBy: readonly string[]
  readonly payload: Payload
  readonly notes: Notes
  /** When it was used up, in seconds since 1970. */
  readonly consumed?: number
  readonly generation: number
  /** What its issuer had seen of the Grant that it was issued under. */
  readonly grantSeen: GrantSeen
  /** Whether it was taken over from another adapter. */
  readonly moved: boolean
  /** The commit that left this state; what follows it names it. */
  readonly commit: string
  /** Its place in the log. */
  readonly position: number
}

/** What is stored: the part that operators and planners need stays in the clear, the rest is sealed. */
export interface StatePart {
  readonly payload: Payload
  readonly notes: Notes
  readonly generation: number
  readonly grantSeen?: GrantSeen
  /** Of an interaction that was stored before: the position of its first state. Of what repeats a state: that of this one. */
  readonly began?: number | undefined
  /** Of a Grant: how often what was issued under it was revoked before, by model. */
  readonly revocations?: ReadonlyMap<string, number> | undefined
  /** Whether it is taken over from another adapter. */
  readonly moved?: boolean
}

/** The id of an instance, as far as its payload tells. The provider's own models have it there. */
export function idOf({ model, payload }: Pick<ModelState, 'model' | 'payload'>): string | undefined {
  const id = payload[model === 'Client' ? 'client_id' : 'jti']
  return typeof id === 'string' ? id : undefined
}

/** What seals the states of an issuer. */
export interface Sealer {
  readonly keys: AccountKeys
  /** Empty: nobody knows it yet. */
  readonly issuer: string
}

/** The data of a `stored` event. @throws whatever the store throws */
export async function storedData(
  { keys, issuer }: Sealer,
  model: string,
  stream: string,
  state: StatePart,
): Promise<JsonObject> {
  const sealed = await keys.seal(secretOf(model, state), stream, accountOf(issuer, model, state))
  return { ...clearOf(model, state), sealed }
}

/**
 * The data of a `stored` event that repeats a state under other keys.
 *
 * @param before - the commit that it repeats, and what that has sealed
 * @returns undefined: its account was forgotten
 * @throws whatever the store throws
 */
export async function repeatedData(
  { keys, issuer }: Sealer,
  model: string,
  stream: string,
  state: StatePart,
  before: { readonly commit: string; readonly sealed: string },
): Promise<JsonObject | undefined> {
  const account = accountOf(issuer, model, state)
  const sealed = await keys.sealAgain(secretOf(model, state), stream, account, before.sealed)
  return sealed === undefined ? undefined : { ...clearOf(model, state), again: before.commit, sealed }
}

function accountOf(issuer: string, model: string, { payload }: StatePart): Account | undefined {
  const accountId = accountIn(model, payload)
  return accountId === undefined ? undefined : { issuer, accountId }
}

function secretOf(model: string, { payload, notes }: StatePart): JsonObject {
  return { ...compact(model, payload), ...(Object.keys(notes).length > 0 && { notes }) }
}

function clearOf(
  model: string,
  { payload, generation, grantSeen, began, revocations, moved = false }: StatePart,
): JsonObject {
  const { clientId, exp, consumed } = payload
  const hasSeen = grantSeen !== undefined && (grantSeen.generation > 0 || grantSeen.revocations > 0)
  return {
    model,
    ...(moved && { moved }),
    ...(generation > 0 && { generation }),
    ...(began !== undefined && { began }),
    ...(revocations && revocations.size > 0 && { revocations: Object.fromEntries(revocations) }),
    ...(hasSeen && { grant_seen: [grantSeen.generation, grantSeen.revocations] }),
    ...(typeof clientId === 'string' && { client_id: clientId }),
    ...(typeof exp === 'number' && { exp }),
    ...(typeof consumed === 'number' && { consumed }),
  }
}

function compact(model: string, payload: Payload): { readonly payload: JsonObject; readonly repeated?: string[] } {
  if (model !== 'Interaction') return { payload: payload as JsonObject }
  const { payload: rest, repeated } = withoutRepeatedParams(payload)
  return { payload: rest as JsonObject, ...(repeated.length > 0 && { repeated }) }
}

/**
 * Opens the state that a record points to. Undefined: the instance does not exist, or its account was forgotten.
 *
 * @throws KeyUnknownError (`KEY_UNKNOWN`), SealBrokenError (`SEAL_BROKEN`), and whatever the store throws
 */
export async function openState(
  keys: AccountKeys,
  model: string,
  { stored, consumedAt }: ModelRecord,
): Promise<ModelState | undefined> {
  if (!stored) return undefined
  const opened = await keys.open(String(stored.event.data['sealed']), stored.event.stream)
  return opened === undefined ? undefined : stateOf(opened as unknown as Opened, model, stored, consumedAt)
}

/** What is sealed of a state. */
interface Opened {
  readonly payload: Record<string, Json>
  readonly notes?: Notes
  readonly repeated?: string[]
}

function stateOf(
  sealed: Opened,
  model: string,
  { commit, event }: LocatedEvent,
  consumed: number | undefined,
): ModelState {
  const { notes = {}, repeated = [] } = sealed
  const payload = withRepeatedParams(sealed.payload, repeated)
  return {
    model,
    names: ownNames(model, event),
    indexedBy: event.also ?? [],
    payload: consumed === undefined ? payload : { ...payload, consumed },
    notes,
    ...(consumed !== undefined && { consumed }),
    generation: generationOf(event),
    grantSeen: grantSeenBy(event),
    moved: isMoved(event),
    commit: commit.id,
    position: commit.position,
  }
}

function grantSeenBy({ data }: Event): GrantSeen {
  const [generation, revocations] = (data['grant_seen'] ?? [0, 0]) as [number, number]
  return { generation, revocations }
}
