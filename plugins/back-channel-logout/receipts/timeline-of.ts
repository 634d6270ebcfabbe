import type { Commit, EventStore } from '../../../lib/index.ts'
import { positionOfEnd } from '../recording/delivery-id.ts'
import {
  isSessionLogout,
  roundOf,
  type SessionLogoutEvent,
  sessionLogoutStream,
} from '../recording/session-logout-events.ts'
import { evolve, nothing, type SessionLogoutFold } from '../recording/session-logout-fold.ts'
import type { Waiting } from './receipt.ts'
import type { LogoutTimeline, TimelineEntry } from './timeline.ts'

/** So many commits of a session's logout are read. */
const MOST_COMMITS = 1_000

/** What happened to a session's logout, as the log tells it: one command, however much that is. */
export async function timelineOf(
  { store, waiting }: { readonly store: EventStore; readonly waiting: Waiting },
  sessionUid: string,
): Promise<LogoutTimeline> {
  const stream = sessionLogoutStream(sessionUid)
  const newest = await store.read(stream, { direction: 'backwards', limit: MOST_COMMITS })
  const logout = nothing(sessionUid)
  const ends = new Map<number, number>()
  const entries = newest.reverse().flatMap((commit): TimelineEntry[] => {
    evolve(logout, commit)
    ends.set(commit.position, commit.at)
    const own = commit.events.filter((event) => event.stream === stream && isSessionLogout(event.type))
    return own.map(({ type, data }) => ({
      at: commit.at,
      position: commit.position,
      ...told({ type, ...data } as unknown as SessionLogoutEvent, { commit, logout, ends, waiting }),
    }))
  })
  return { sessionUid, entries, isCut: newest.length === MOST_COMMITS }
}

/** What a fact is told with. */
interface Around {
  readonly commit: Commit
  /** The logout up to the fact's commit. */
  readonly logout: SessionLogoutFold
  /** When the commits were recorded, by position. */
  readonly ends: ReadonlyMap<number, number>
  readonly waiting: Waiting
}

type Told = TimelineEntry extends infer Entry
  ? Entry extends TimelineEntry
    ? Omit<Entry, 'at' | 'position'>
    : never
  : never

function told(fact: SessionLogoutEvent, around: Around): Told {
  switch (fact.type) {
    case 'session_logout.back_channel.registered':
      return { kind: 'registered', clientId: fact.client_id, sid: fact.oidc_session_id }
    case 'session_logout.terminated':
      return {
        kind: 'ended',
        reason: fact.reason,
        scope: fact.scope === 'session' ? 'session' : 'logins',
        origin: fact.triggered_at_origin,
        ...(fact.actor !== undefined && { actor: fact.actor }),
        ...(fact.by_client !== undefined && { initiatingClient: fact.by_client }),
        beside: besides(around.commit),
        deliveries: owedAt(around),
      }
    case 'session_logout.back_channel.owed':
      return { kind: 'owed', delivery: fact.delivery, clientId: fact.client_id }
    case 'session_logout.back_channel.attempt_failed':
      return {
        kind: 'attempt_failed',
        ...named(fact),
        attempt: fact.attempt,
        ...said(fact),
        nextAttemptAt: fact.next_attempt_at,
      }
    case 'session_logout.back_channel.sent':
      return {
        kind: 'confirmed',
        ...named(fact),
        attempt: fact.attempt,
        status: fact.status,
        tookMs: fact.took_ms,
        ...timeToLogout(fact.delivery, around),
      }
    case 'session_logout.back_channel.rejected':
      return { kind: 'rejected', ...named(fact), attempt: fact.attempt, status: fact.status, answer: fact.answer }
    case 'session_logout.back_channel.abandoned':
      return {
        kind: 'abandoned',
        ...named(fact),
        attempts: fact.attempts,
        failureReason: fact.failure_reason,
        ...said(fact),
      }
    case 'session_logout.back_channel.superseded':
      return { kind: 'superseded', ...named(fact), attempts: fact.attempts }
    case 'session_logout.back_channel.replayed':
      return { kind: 'replayed', ...named(fact), actor: fact.actor }
  }
}

function named(fact: { readonly delivery: string; readonly client_id: string; readonly round?: number }): {
  readonly delivery: string
  readonly clientId: string
  readonly replays: number
} {
  return { delivery: fact.delivery, clientId: fact.client_id, replays: roundOf(fact) }
}

function said({
  status,
  error,
  answer,
}: {
  readonly status?: number
  readonly error?: string
  readonly answer?: string
}) {
  return {
    ...(status !== undefined && { status }),
    ...(error !== undefined && { error }),
    ...(answer !== undefined && { answer }),
  }
}

function owedAt({ commit, logout }: Around): { delivery: string; clientId: string; sid: string }[] {
  const owed = (logout.terminationsAt.get(commit.position) ?? []).flatMap((termination) => termination.owed)
  return owed.map(({ delivery, registration: { clientId, sid } }) => ({ delivery, clientId, sid }))
}

function timeToLogout(delivery: string, { commit, ends, waiting }: Around): { readonly timeToLogoutMs?: number } {
  const endedAt = ends.get(positionOfEnd(delivery))
  if (endedAt === undefined) return {}
  return { timeToLogoutMs: Math.max(0, commit.at - endedAt - waiting(endedAt, commit.at)) }
}

/** What else the commit did to instances of the provider's models. */
function besides({ events }: Commit): string[] {
  const others = events.flatMap(({ stream, type }) => {
    const model = stream.slice(0, Math.max(0, stream.indexOf(':')))
    return /^\p{Lu}/u.test(model) ? [`${model} ${type}`] : []
  })
  return [...new Set(others)]
}
