import type { JsonObject } from '../log/commit.ts'
import { type Remaining, remainingFromJson, remainingToJson, UNKNOWN } from './remaining.ts'
import { Samples } from './samples.ts'

/** A walk over the whole log that is under way. */
export interface Walk {
  /** Up to here it has got. */
  readonly at: number
  readonly remaining: Remaining
}

/** What retention remembers, for whichever process goes on with it. */
export interface Memory {
  readonly samples: Samples
  /** Who is at it. */
  readonly holder: string | undefined
  readonly walk: Walk | undefined
  /** When a walk over the whole log was complete last, milliseconds since 1970. */
  readonly walkedAt: number | undefined
  /** What that walk has left. */
  readonly remaining: Remaining
  /** Up to here walks have gone, or were to go. One that ends below it has not seen all that is left. */
  readonly upTo: number
  /** Up to here was gone through for what strangers write. */
  readonly youngAt: number
  /** How many commits were removed since the log began. */
  readonly removed: number
}

export const NO_MEMORY: Memory = {
  samples: new Samples(),
  holder: undefined,
  walk: undefined,
  walkedAt: undefined,
  remaining: UNKNOWN,
  upTo: 0,
  youngAt: 0,
  removed: 0,
}

export function memoryToJson({
  samples,
  holder,
  walk,
  walkedAt,
  remaining,
  upTo,
  youngAt,
  removed,
}: Memory): JsonObject {
  return {
    samples: samples.toJson(),
    ...(holder !== undefined && { holder }),
    ...(walk && { walk: { at: walk.at, remaining: remainingToJson(walk.remaining) } }),
    ...(walkedAt !== undefined && { walked_at: walkedAt }),
    remaining: remainingToJson(remaining),
    up_to: upTo,
    young_at: youngAt,
    removed,
  }
}

export function memoryFromJson(state: JsonObject): Memory {
  const walk = state['walk'] as JsonObject | undefined
  return {
    samples: Samples.fromJson(state['samples']),
    holder: typeof state['holder'] === 'string' ? state['holder'] : undefined,
    walk: walk && { at: Number(walk['at']), remaining: remainingFromJson(walk['remaining']) },
    walkedAt: typeof state['walked_at'] === 'number' ? state['walked_at'] : undefined,
    remaining: remainingFromJson(state['remaining']),
    upTo: Number(state['up_to'] ?? 0),
    youngAt: Number(state['young_at'] ?? 0),
    removed: Number(state['removed'] ?? 0),
  }
}
