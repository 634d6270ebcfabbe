import type { Commit, Event } from '../../../lib/index.ts'
import type { CommitRow, EventRow, LiveTopic } from '../api/contract.ts'

/** So many events of a commit are told. */
const MOST_EVENTS = 20

/** What a commit did, without ids that are hashed, and without payloads. */
export function commitRow({ position, at, meta, events }: Commit): CommitRow {
  return {
    position,
    at,
    ...(meta.instance !== undefined && { issuer: meta.instance }),
    ...(meta.actor !== undefined && { actor: meta.actor }),
    events: events.slice(0, MOST_EVENTS).map(eventRow),
    eventCount: events.length,
  }
}

/** What commits are about. */
export function topicsOf(commits: readonly Commit[]): LiveTopic[] {
  return [...new Set(commits.flatMap(({ events }) => events.flatMap(topicsOfEvent)))]
}

function eventRow({ stream, type, data }: Event): EventRow {
  const kind = kindOf(stream)
  if (kind !== 'session_logout') return { kind, type, ...clientIn(data) }
  const { status, reason } = data
  return {
    kind,
    type,
    sessionUid: stream.slice(kind.length + 1),
    ...clientIn(data),
    ...(typeof status === 'number' && { status }),
    ...(typeof reason === 'string' && { reason }),
  }
}

function clientIn({ client_id: clientId }: Event['data']): Pick<EventRow, 'clientId'> {
  return typeof clientId === 'string' ? { clientId } : {}
}

function topicsOfEvent({ stream, type }: Event): LiveTopic[] {
  switch (kindOf(stream)) {
    case 'Session':
      return ['sessions']
    case 'session_logout':
      return /\.(rejected|abandoned|replayed)$/.test(type) ? ['logouts', 'dead_letters'] : ['logouts']
    case 'Client':
    case 'logout_client':
    case 'delivery_pause':
      return ['clients']
    case 'feature':
      return ['features']
    case 'termination':
      return ['terminations']
    case 'parked':
      return ['parked']
    default:
      return []
  }
}

/** What a stream is of: its name up to the colon. */
function kindOf(stream: string): string {
  const colon = stream.indexOf(':')
  return colon < 0 ? stream : stream.slice(0, colon)
}
