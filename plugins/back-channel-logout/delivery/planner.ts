import type { Commit, EventStore, NewWork } from '../../../lib/index.ts'
import { readLogouts } from '../recording/histories.ts'
import type { Owed, SessionLogout, Termination } from '../recording/session-logout.ts'
import { roundOf, uidOfStream } from '../recording/session-logout-events.ts'
import { laneOf } from '../work/lanes.ts'
import { type Delivery, toBody } from './delivery.ts'
import { workIdOf } from './rounds.ts'

/** The name under which the planner remembers how far it got (the seed's `current_states`). */
export const PLANNER = 'projections.notifications_back_channel_logout'

/**
 * Makes deliveries of session ends: for each `terminated` of the batch, one piece of work for each RP that is owed a
 * token; and for each `replayed` one for the RP that is to be told again. Planning twice makes the same work, which is
 * then there already.
 *
 * @param now - when the work is due, milliseconds since 1970: at once
 * @returns the deliveries to make, whatever issuer they are for
 */
export async function plan(store: EventStore, commits: readonly Commit[], now: number): Promise<readonly NewWork[]> {
  const causes = new Map<string, Causes>()
  for (const { events, position } of commits) {
    for (const { stream, type, data } of events) {
      const uid = uidOfStream(stream)
      if (uid === undefined) continue
      const of = causes.get(uid) ?? { ends: new Set(), replays: new Set() }
      if (type === 'session_logout.terminated') of.ends.add(position)
      else if (type === 'session_logout.back_channel.replayed') of.replays.add(String(data['delivery']))
      else continue
      causes.set(uid, of)
    }
  }
  const logouts = await readLogouts(store, causes.keys())
  return [...logouts].flatMap(([uid, logout]) => {
    const { ends, replays } = causes.get(uid) ?? { ends: new Set(), replays: new Set() }
    return logout.terminations.flatMap((end) =>
      workFor(logout, end, ({ delivery }) => ends.has(end.position) || replays.has(delivery), now),
    )
  })
}

/** Why deliveries of one session are to be made. */
interface Causes {
  /** Positions of its ends. */
  readonly ends: Set<number>
  /** Deliveries that an operator has sent again. */
  readonly replays: Set<string>
}

function workFor(
  logout: SessionLogout,
  { at, reason, origin, owed }: Termination,
  isMeant: (owed: Owed) => boolean,
  now: number,
): NewWork[] {
  return owed.filter(isMeant).flatMap(({ delivery, registration: { clientId, sid, sealedSubject, withSid } }) => {
    const state = logout.deliveries.get(delivery)
    if (state?.kind !== 'pending') return []
    const round = roundOf(state)
    const body: Delivery = {
      sessionUid: logout.uid,
      clientId,
      sid,
      sealedSubject,
      withSid,
      reason,
      endedAt: at,
      attempts: 0,
      badRequests: 0,
      ...(round > 0 && { round }),
    }
    return [{ id: workIdOf(delivery, round), lane: laneOf(origin, clientId), dueAt: now, body: toBody(body) }]
  })
}
