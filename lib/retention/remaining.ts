import type { Commit, Event, JsonObject } from '../log/commit.ts'
import { beganAt } from '../provider/model-record.ts'
import { isGrantable } from '../provider/models.ts'

/**
 * Up to where a walk over the whole log has found nothing left that others are judged by: what is issued under grants, and
 * interactions. A mark that may concern any of them stays until none is left that began before it.
 */
export interface Remaining {
  /** No state that may live of a model that is issued under a grant began at or below it. */
  readonly grantable: number
  /** No interaction that may live began at or below it. */
  readonly interactions: number
}

/** So long after it has expired a provider may still take something (`clockTolerance`), in milliseconds. */
const TOLERANCE_MS = 3_600_000

/** A page of a walk. */
interface RemainingPage {
  /** It begins after this position. */
  readonly start: number
  /** Its last position. */
  readonly end: number
  /** Milliseconds since 1970. */
  readonly now: number
  /** Positions of what could not be read, the lowest first. */
  readonly unread?: readonly number[]
}

/** Nothing is known. */
export const UNKNOWN: Remaining = { grantable: 0, interactions: 0 }

/**
 * The same with what a page of a walk has kept. What has expired cannot live again, though its commit may be there for
 * something else in it.
 *
 * @param kept - what the walk has kept of the page
 */
export function remainingAfter(
  before: Remaining,
  kept: readonly Commit[],
  { start, end, now, unread = [] }: RemainingPage,
): Remaining {
  const mayLive = ({ type, data }: Event): boolean =>
    type === 'stored' && !(typeof data['exp'] === 'number' && data['exp'] * 1_000 + TOLERANCE_MS <= now)
  const first = (concerns: (model: string) => boolean): number => {
    let began = unread[0] ?? Number.POSITIVE_INFINITY // it may be anything
    for (const commit of kept)
      for (const event of commit.events)
        if (mayLive(event) && concerns(modelOf(event.stream))) began = Math.min(began, beganAt({ commit, event }))
    return began
  }
  // What began below the page lowers what was reached before it.
  const next = (reached: number, found: number): number =>
    Math.min(reached < start ? reached : Math.max(reached, end), found - 1)
  return {
    grantable: next(before.grantable, first(isGrantable)),
    interactions: next(
      before.interactions,
      first((model) => model === 'Interaction'),
    ),
  }
}

export function remainingToJson({ grantable, interactions }: Remaining): JsonObject {
  return { grantable, interactions }
}

export function remainingFromJson(json: unknown): Remaining {
  const { grantable, interactions } = (json ?? {}) as Record<string, unknown>
  return { grantable: Number(grantable ?? 0), interactions: Number(interactions ?? 0) }
}

function modelOf(stream: string): string {
  return stream.slice(0, stream.indexOf(':'))
}
