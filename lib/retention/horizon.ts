import { PARKED } from '../log/consumer.ts'
import type { EventStore } from '../log/event-store.ts'
import type { RetentionRule } from './retention-rule.ts'
import type { Samples } from './samples.ts'

/** Nothing goes that is younger, in milliseconds: whoever may still append below, or read it for the first time, is done by then. */
export const YOUNGEST_MS = 3_600_000

/** So many commits are asked for that somebody will come back to, of each kind. */
const MOST_PINNED = 1_000

/** Up to where commits may be judged, and what keeps it there. */
export interface Horizon {
  readonly position: number
  readonly heldBy?: { readonly consumer: string; readonly position: number }
  /** Positions that somebody will come back to. */
  readonly pinned: ReadonlySet<number>
}

/**
 * The last position that everybody has handled, that is older than an hour, and that is not the log's last: where a log
 * ends is seen from that.
 */
export async function horizonOf(
  store: EventStore,
  rules: readonly RetentionRule[],
  samples: Samples,
  now: number,
): Promise<Horizon> {
  const [consumers, end, parked, ...pinned] = await Promise.all([
    store.consumers.list(),
    store.end(),
    store.work(PARKED).open({ limit: MOST_PINNED }),
    ...rules.map((rule) => rule.pinned?.(store, MOST_PINNED) ?? []),
  ])
  const old = samples.olderThan(YOUNGEST_MS, now)
  const lists = [parked.map(({ body }) => Number(body['position'])), ...pinned]
  // As many as were asked for: which the others are is not known, and nothing goes before they are fewer.
  const known = lists.every((list) => list.length < MOST_PINNED) ? Number.POSITIVE_INFINITY : 0
  const slowest = consumers.reduce<(typeof consumers)[number] | undefined>(
    (least, one) => (least && least.position <= one.position ? least : one),
    undefined,
  )
  const free = Math.min(old, end - 1, known)
  const isHeld = slowest !== undefined && slowest.position < free
  return {
    position: Math.max(0, isHeld ? slowest.position : free),
    pinned: new Set(lists.flat()),
    ...(isHeld && { heldBy: { consumer: slowest.name, position: slowest.position } }),
  }
}
