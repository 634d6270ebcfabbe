import { EventTypeUnknownError } from '../errors.ts'
import type { Commit, Event, Json, JsonObject } from '../log/commit.ts'
import type { KeyRing } from '../secrets/key-ring.ts'
import { hasMadeIds, type Payload } from './models.ts'

/** What plugins keep with a session's state: by plugin, anything. */
export type Notes = Readonly<Record<string, JsonObject>>

/** A model instance as the log has it. */
export interface ModelState {
  readonly model: string
  /** Its own stream, as the event that stored it names it. */
  readonly stream: string
  /** All names of its own stream. */
  readonly names: readonly string[]
  readonly payload: Payload
  readonly notes: Notes
  /** When it was used up, in seconds since 1970. */
  readonly consumed?: number
  /** The commit that left this state; what follows it names it. */
  readonly commit: string
}

/** Only these may name a model's own stream. */
export type ModelEventType = 'stored' | 'consumed' | 'destroyed' | 'revoked'

/** Data of `stored`, as it is in the log: what operators and planners need in the clear, the rest sealed. */
export interface StoredData extends JsonObject {
  readonly sealed: string
}

/** Seals what is nobody's business. */
export function sealState(keys: KeyRing, stream: string, payload: Payload, notes: Notes): StoredData {
  const { clientId, exp, consumed } = payload
  const hasNotes = Object.keys(notes).length > 0
  return {
    ...(typeof clientId === 'string' && { client_id: clientId }),
    ...(typeof exp === 'number' && { exp }),
    ...(typeof consumed === 'number' && { consumed }),
    sealed: keys.seal({ payload: payload as JsonObject, ...(hasNotes && { notes }) }, stream),
  }
}

/**
 * The state of one model instance: the fold of its own events, oldest first. Undefined when it was never stored, or is
 * gone for good.
 *
 * @throws EventTypeUnknownError, KeyUnknownError, SealBrokenError
 */
export function foldModel(
  keys: KeyRing,
  model: string,
  history: readonly { commit: Commit; event: Event }[],
): ModelState | undefined {
  let stored: { commit: Commit; event: Event } | undefined
  let consumed: number | undefined
  let gone = false
  for (const { commit, event } of history) {
    switch (event.type as ModelEventType) {
      case 'stored':
        stored = { commit, event }
        if (!hasMadeIds(model)) gone = false
        break
      case 'consumed':
        consumed = Number(event.data['at'])
        break
      case 'destroyed':
      case 'revoked':
        gone = true
        break
      default:
        throw new EventTypeUnknownError(event.stream, event.type)
    }
  }
  if (!stored || gone) return undefined
  return stateOf(keys, model, stored.commit, stored.event, consumed)
}

function stateOf(keys: KeyRing, model: string, commit: Commit, event: Event, consumed: number | undefined): ModelState {
  const { payload, notes = {} } = keys.open(String(event.data['sealed']), event.stream) as {
    payload: Record<string, Json>
    notes?: Notes
  }
  const used = consumed ?? (typeof event.data['consumed'] === 'number' ? event.data['consumed'] : undefined)
  return {
    model,
    stream: event.stream,
    names: ownNames(model, event),
    payload: used === undefined ? payload : { ...payload, consumed: used },
    notes,
    ...(used !== undefined && { consumed: used }),
    commit: commit.id,
  }
}

/** The names of an event's own stream: more than one while two hashing keys are configured. */
export function ownNames(model: string, event: Event): string[] {
  return [event.stream, ...(event.also ?? []).filter((other) => other.startsWith(`${model}:`))]
}
