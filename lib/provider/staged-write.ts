import type { Claim, NewEvent } from '../log/commit.ts'
import type { KeyRing } from '../secrets/key-ring.ts'
import { indexStreams } from './index-streams.ts'
import { endsStream, type GrantSeen, type ModelRecord, ownNames, repeatedBy } from './model-record.ts'
import { type Sealer, storedData } from './model-state.ts'
import { hasGivenIds, hasLinearStates, isGrantable, type Payload } from './models.ts'

/** What a unit of work does to one model instance. Later writes of the same unit replace earlier ones. */
export interface StagedWrite {
  readonly model: string
  /** The names of its stream, the writing key's first. */
  readonly names: readonly string[]
  /** The generation that it writes in: the one that was read, or the next one after an end within the unit. */
  readonly generation: number
  /** The record's index streams, which its end names as well. */
  readonly indexedBy: readonly string[]
  /** Set when the unit ends the generation that it has read. */
  readonly ended?: number
  /** Where the interaction began that it writes again. */
  readonly began?: number | undefined
  /** Of a grant that is stored: how often what was issued under it was revoked before, by model. */
  readonly revocations?: ReadonlyMap<string, number> | undefined
  /** Whether an interaction ends because the provider goes on with its result. */
  readonly resumed?: boolean
  /** The state as the unit sees it. Absent: it does not exist. */
  readonly payload?: Payload
  /** Whether `payload` is to be stored. */
  readonly stores: boolean
  /** When the unit used it up, in seconds since 1970: the commit claims it. */
  readonly consumedAt?: number
  /** The generation that the unit used up before it ended it: the commit claims that as well. */
  readonly usedUp?: number | undefined
  /** For a proof that must not be shown twice: the commit that left the state which this follows, `none` for the first. */
  readonly follows?: string
  /**
   * Where one commit only may follow a state: the commit that left the state which this follows, and the one that it repeats
   * under other keys. Empty: there is no such state, or it comes too late to follow any.
   */
  readonly replaces?: readonly string[]
  /** Whether it was decided on the state that it follows, so that it may follow no newer one. */
  readonly isDecided?: boolean
  /** What the issuer of the state that was read had seen of its grant. Absent for a state that the unit stores. */
  readonly grantSeen?: GrantSeen
  /** Whether the unit takes over what another adapter holds. */
  readonly moved?: boolean
}

/** The id of the grant that something is issued under. */
export function grantIdOf(model: string, payload: Payload | undefined): string | undefined {
  const grantId = isGrantable(model) ? payload?.['grantId'] : undefined
  return typeof grantId === 'string' && grantId !== '' ? grantId : undefined
}

/** The state as later reads of the same unit see it. */
export function viewOf({ payload, consumedAt }: StagedWrite): Payload | undefined {
  return payload && consumedAt !== undefined ? { ...payload, consumed: consumedAt } : payload
}

/** The events that the write becomes. @throws whatever the store throws */
export async function eventsOf(sealer: Sealer, write: StagedWrite, grantSeen?: GrantSeen): Promise<NewEvent[]> {
  const { model, names, generation, ended, payload, stores, consumedAt, moved = false } = write
  const events: NewEvent[] = []
  if (ended !== undefined) {
    const marks: EndMarks = { ...(write.resumed && { resumed: true }), ...(moved && { moved: true }) }
    events.push(endEvent(model, names, ended, write.indexedBy, marks))
  }
  if (stores && payload) {
    const [stream = ''] = names
    const state = {
      payload: consumedAt === undefined ? payload : { ...payload, consumed: consumedAt },
      notes: {},
      generation,
      moved,
      ...(grantSeen && { grantSeen }),
      ...(model === 'Interaction' && { began: write.began }),
      ...(model === 'Grant' && { revocations: write.revocations }),
    }
    const data = await storedData(sealer, model, stream, state)
    events.push(eventOf(names, 'stored', data, indexStreams(sealer.keys.ring, model, payload)))
  } else if (payload && consumedAt !== undefined && ended === undefined) {
    events.push(eventOf(names, 'consumed', { model, ...inGeneration(generation), at: consumedAt }, []))
  }
  return events
}

/** What an end says beside itself. */
interface EndMarks {
  /** The provider goes on with the interaction's result. */
  readonly resumed?: true
  /** Another adapter, from which the instance was taken over, holds it no more. */
  readonly moved?: true
}

/** The end of one generation of an instance. */
export function endEvent(
  model: string,
  names: readonly string[],
  generation: number,
  indexedBy: readonly string[] = [],
  marks: EndMarks = {},
): NewEvent {
  const also = [...indexedBy, ...endNames(model, names, generation)]
  return eventOf(names, 'destroyed', { model, ...inGeneration(generation), ...marks }, also)
}

/**
 * The revocation of what was issued under a grant, by model. Its size does not depend on how much that is.
 *
 * @param before - how often it was revoked before, by model, as far as it was seen: a process that does not see all of those
 * goes by that
 */
export function revokedEvent(
  names: readonly string[],
  generation: number,
  models: readonly string[],
  before: ReadonlyMap<string, number> = new Map(),
): NewEvent {
  const counts = Object.fromEntries(models.map((model) => [model, (before.get(model) ?? 0) + 1]))
  const data = { model: 'Grant', ...inGeneration(generation), models: [...models], counts }
  return eventOf(names, 'revoked', data, endNames('Grant', names, generation))
}

/** An event in the stream of these names. */
export function eventOf(
  names: readonly string[],
  type: string,
  data: NewEvent['data'],
  index: readonly string[],
): NewEvent {
  const [stream = '', ...aliases] = names
  const also = [...aliases, ...index]
  return { stream, ...(also.length > 0 && { also }), type, data }
}

function inGeneration(generation: number): { readonly generation?: number } {
  return generation > 0 ? { generation } : {}
}

/** Only streams that may grow long need another one for their ends. */
function endNames(model: string, names: readonly string[], generation: number): string[] {
  return hasGivenIds(model) ? names.map((name) => endsStream(name, generation)) : []
}

/** The claims that make a write happen once. */
export function claimsOf(write: StagedWrite): Claim[] {
  const { names, generation, consumedAt, usedUp, follows, stores, ended } = write
  const replaces = stores || ended !== undefined ? (write.replaces ?? []) : [] // what leaves a state as it is follows none
  return names.flatMap((name): Claim[] => [
    ...(consumedAt !== undefined ? [{ kind: 'once' as const, mark: consumedMark(name, generation) }] : []),
    ...(usedUp !== undefined ? [{ kind: 'once' as const, mark: consumedMark(name, usedUp) }] : []),
    ...(follows !== undefined ? [{ kind: 'once' as const, mark: `${name}@${follows}` }] : []),
    ...replaces.map((after) => ({ kind: 'follows' as const, stream: name, after })),
  ])
}

/** What a write over this record replaces, of a model of which one commit only may follow each state. */
export function replacedBy(model: string, { stored }: ModelRecord): Pick<StagedWrite, 'replaces'> {
  if (!hasLinearStates(model)) return {}
  // Stores may hold claims of what retention has removed: one that came back with a later first state would never be free.
  if (!stored) return { replaces: [] }
  const again = repeatedBy(stored.event)
  return { replaces: [stored.commit.id, ...(again === undefined ? [] : [again])] }
}

/** Whether the write ends or follows the generation that lives. What others have ended meanwhile it leaves as it is. */
export function changes({ generation, ended, stores }: StagedWrite, record: ModelRecord): boolean {
  return ended === record.generation || (stores && generation === record.generation)
}

/** The once-only mark of a consumable. */
export function consumedMark(name: string, generation: number): string {
  return `${name}#consumed@${generation}`
}

/** The names that an instance's stream has now, and those by which it was stored. */
export function namesOf(keys: KeyRing, model: string, id: string, record: ModelRecord | undefined): readonly string[] {
  const current = keys.streams(model, id)
  return record?.stored ? [...new Set([...current, ...ownNames(model, record.stored.event)])] : current
}

/** The streams, beside its own, that the stored state is found by. */
export function indexedByOf(model: string, record: ModelRecord): readonly string[] {
  const { event } = record.stored ?? {}
  return (event?.also ?? []).filter((name) => !name.startsWith(`${model}:`) && !name.startsWith('user_code:'))
}
