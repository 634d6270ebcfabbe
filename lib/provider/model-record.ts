import { EventTypeUnknownError } from '../errors.ts'
import type { Commit, Event } from '../log/commit.ts'

/*
 * One rule serves everything that ends: a state lives only if whoever stored it had seen every end of its stream.
 *
 * The life of an instance is cut into generations by its ends. The first is 0; an end closes one generation for good, and
 * what is stored by somebody who has seen that end opens the next. Each `stored`, `consumed` and `destroyed` names its
 * generation. A late save by somebody who has not seen the end belongs to a generation that is over, and is dead. Two who
 * end the same generation at once end it once, so an end needs no claim and cannot lose a race.
 *
 * Within a generation of a Grant, `revoked` counts: a token carries how many revocations of its model whoever issued it
 * had seen, and is dead as soon as there are more. A count is enough, in whatever order the revocations become visible:
 * whoever has seen fewer than there are has missed one. Each `stored` of the Grant carries the counts that it follows, and
 * each `revoked` the one that it makes: a process with the newest hashing key alone does not see revocations that only a
 * former key names.
 *
 * A state that only stands under other keys than before names the commit that it repeats, and counts only on top of that:
 * what was stored in between stays the newest.
 *
 * A state that was taken over from another adapter is marked `moved`. It never follows a state of the same generation that
 * was not, wherever in the log the two lie: what this OP has stored itself is newer than what it moved in with.
 */

/** The events that may name a model's own stream. `revoked` is only ever in that of a Grant. */
export type ModelEventType = 'stored' | 'consumed' | 'destroyed' | 'revoked'

/** An event, and the commit that holds it. */
export interface LocatedEvent {
  readonly commit: Commit
  readonly event: Event
}

/** What the log holds of one model instance. Nothing of it is sealed. */
export interface ModelRecord {
  /** The generation that lives, or that would begin with the next `stored`. */
  readonly generation: number
  /** The newest state of that generation. Absent: the instance does not exist. */
  readonly stored?: LocatedEvent
  /** The position of the first state of that generation; exact for interactions, else as far back as was read. */
  readonly began?: number
  /** The last state of the generation before, and the event that ended it. */
  readonly ended?: {
    readonly stored: LocatedEvent
    readonly end: LocatedEvent
    /** The position of the first state of that generation. */
    readonly began: number
  }
  /** When it was used up, in seconds since 1970. */
  readonly consumedAt?: number
  /** Of a Grant: how often what is issued under it was revoked in this generation, by model. */
  readonly revocations: ReadonlyMap<string, number>
  /** Of a Grant: the revocations of this generation, whatever models they concern. */
  readonly revocationEvents: number
}

/** What was seen of the Grant by whoever issued something under it. */
export interface GrantSeen {
  readonly generation: number
  /** How many revocations of the issued model. */
  readonly revocations: number
}

/** A record of which the log holds nothing. */
export const NO_RECORD: ModelRecord = { generation: 0, revocations: new Map(), revocationEvents: 0 }

/**
 * Folds the events of one instance, oldest first; each commit once.
 *
 * @throws EventTypeUnknownError (`EVENT_TYPE_UNKNOWN`)
 */
export function foldRecord(history: readonly LocatedEvent[]): ModelRecord {
  let generation = 0
  for (const { event } of history) generation = Math.max(generation, generationAfter(event))
  let stored: LocatedEvent | undefined
  let began: number | undefined
  let consumedAt: number | undefined
  let last: LocatedEvent | undefined
  let lastBegan: number | undefined
  let end: LocatedEvent | undefined
  let revocationEvents = 0
  const revocations = new Map<string, number>()
  for (const located of history) {
    const { event } = located
    if (generationOf(event) === generation - 1) {
      if (event.type === 'stored') {
        last = located
        lastBegan ??= beganAt(located)
      } else if (event.type === 'destroyed') end ??= located
    }
    if (generationOf(event) !== generation) continue
    if (event.type === 'stored') {
      if (stored && isMoved(event) && !isMoved(stored.event)) continue
      if (stored && !mayRepeat(event, stored)) continue
      stored = located
      began ??= beganAt(located)
      if (typeof event.data['consumed'] === 'number') consumedAt = event.data['consumed']
      for (const [model, count] of revocationsBefore(event))
        revocations.set(model, Math.max(count, revocations.get(model) ?? 0))
    } else if (event.type === 'consumed') consumedAt = Number(event.data['at'])
    else if (event.type === 'revoked') {
      revocationEvents += 1
      // Whoever revoked may have seen others that only a former key names, or that have gone.
      const told = (event.data['counts'] ?? {}) as Record<string, number>
      for (const model of revokedModels(event))
        revocations.set(model, Math.max((revocations.get(model) ?? 0) + 1, told[model] ?? 0))
    }
  }
  return {
    generation,
    ...(stored && { stored }),
    ...(began !== undefined && { began }),
    ...(last && end && lastBegan !== undefined && { ended: { stored: last, end, began: lastBegan } }),
    ...(consumedAt !== undefined && { consumedAt }),
    revocations,
    revocationEvents,
  }
}

/** The generation that an event belongs to; for an end, the one that it ends. */
export function generationOf({ data }: Event): number {
  return typeof data['generation'] === 'number' ? data['generation'] : 0
}

/** Whether the event takes over what another adapter held, or that it holds it no more. */
export function isMoved({ data }: Event): boolean {
  return data['moved'] === true
}

/** The commit whose state this one repeats under other keys. Undefined: it is a state of its own. */
export function repeatedBy({ data }: Event): string | undefined {
  return typeof data['again'] === 'string' ? data['again'] : undefined
}

/** Whether the event, if it only repeats a state, repeats this one. */
export function mayRepeat(
  event: Event,
  { commit, event: before }: { readonly commit: Pick<Commit, 'id'>; readonly event: Event },
): boolean {
  const again = repeatedBy(event)
  return again === undefined || again === commit.id || again === repeatedBy(before)
}

/** The lowest generation that may still live after the event: whoever stored in a generation had seen those before end. */
function generationAfter(event: Event): number {
  switch (event.type as ModelEventType) {
    case 'stored':
    case 'consumed':
    case 'revoked':
      return generationOf(event)
    case 'destroyed':
      return generationOf(event) + 1
    default:
      throw new EventTypeUnknownError(event.stream, event.type)
  }
}

/**
 * Where what a state says was first true: a state that follows another one of an interaction tells where the first was, and
 * one that repeats another under other keys where that was. Either may lie further back than is read, or be gone.
 */
export function beganAt({
  commit,
  event,
}: {
  readonly commit: Pick<Commit, 'position'>
  readonly event: Event
}): number {
  return typeof event.data['began'] === 'number' ? event.data['began'] : commit.position
}

/** The counts of revocations that the state of a Grant follows. */
function revocationsBefore({ data }: Event): [string, number][] {
  return Object.entries((data['revocations'] ?? {}) as Record<string, number>)
}

function revokedModels({ data }: Event): readonly string[] {
  return Array.isArray(data['models']) ? (data['models'] as string[]) : []
}

/** Whether something issued under the grant is dead: an end or a revocation came that its issuer had not seen. */
export function isRevoked(model: string, seen: GrantSeen, grant: ModelRecord): boolean {
  if (seen.generation !== grant.generation) return seen.generation < grant.generation
  return (grant.revocations.get(model) ?? 0) > seen.revocations
}

/** The stream of the ends and revocations of one generation. A long stream need not be read whole to find them. */
export function endsStream(stream: string, generation: number): string {
  return `ends:${stream}@${generation}`
}

/** The names of an event's own stream: more than one while two hashing keys are configured. */
export function ownNames(model: string, event: Event): string[] {
  return [event.stream, ...(event.also ?? []).filter((other) => other.startsWith(`${model}:`))]
}
