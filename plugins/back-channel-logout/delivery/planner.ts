import type { Commit, EventStore, NewWork } from '../../../lib/index.ts'
import { fold, type SessionLogout, type Termination } from '../recording/session-logout.ts'
import { sessionLogoutStream, uidOfStream } from '../recording/session-logout-events.ts'
import { toBody } from './delivery.ts'

/** The name under which the planner remembers how far it got (the seed's `current_states`). */
export const PLANNER = 'projections.notifications_back_channel_logout'

/**
 * Makes deliveries of session ends: for each `terminated` of the batch, one piece of work for each RP that is owed a
 * token. Planning twice makes the same work, which is then there already.
 *
 * @param now - when the work is due, milliseconds since 1970: at once
 * @returns the deliveries to make, whatever issuer they are for
 */
export async function plan(store: EventStore, commits: readonly Commit[], now: number): Promise<readonly NewWork[]> {
  const ended = new Map<string, Set<number>>()
  for (const { events, position } of commits) {
    for (const { stream, type } of events) {
      const uid = uidOfStream(stream)
      if (uid === undefined || type !== 'session_logout.terminated') continue
      ended.set(uid, (ended.get(uid) ?? new Set()).add(position))
    }
  }
  if (ended.size === 0) return []
  const histories = byStream(await store.readStreams([...ended.keys()].map(sessionLogoutStream)))
  return [...ended].flatMap(([uid, positions]) => {
    const logout = fold(uid, histories.get(sessionLogoutStream(uid)) ?? [])
    return logout.terminations
      .filter(({ position }) => positions.has(position))
      .flatMap((end) => owedFor(logout, end, now))
  })
}

/** The lane of an RP: of one issuer, since two OPs may share a database and each sends only its own. */
export function laneOf(issuer: string, clientId: string): string {
  return `${lanePrefix(issuer)}${clientId}`
}

export function lanePrefix(issuer: string): string {
  return `${issuer} `
}

function owedFor(logout: SessionLogout, { at, reason, origin, owed }: Termination, now: number): NewWork[] {
  return owed
    .filter(({ delivery }) => logout.deliveries.get(delivery)?.kind === 'pending')
    .map(({ delivery, registration: { clientId, sid, sealedSubject, withSid } }) => ({
      id: delivery,
      lane: laneOf(origin, clientId),
      dueAt: now,
      body: toBody({
        sessionUid: logout.uid,
        clientId,
        sid,
        sealedSubject,
        withSid,
        reason,
        endedAt: at,
        attempts: 0,
        badRequests: 0,
      }),
    }))
}

function byStream(commits: readonly Commit[]): Map<string, Commit[]> {
  const found = new Map<string, Commit[]>()
  for (const commit of commits) {
    for (const stream of new Set(commit.events.map((event) => event.stream))) {
      const before = found.get(stream)
      if (before) before.push(commit)
      else found.set(stream, [commit])
    }
  }
  return found
}
