import { inParallel } from '../../../lib/in-parallel.ts'
import {
  type AccountKeys,
  type Commit,
  isUnreadable,
  type Meta,
  type NewEvent,
  type NewWork,
} from '../../../lib/index.ts'
import type { ToldClients } from '../clients/told-clients.ts'
import { positionOfEnd } from '../recording/delivery-id.ts'
import type { LongLogouts } from '../recording/long-logouts.ts'
import type { Owed, SessionLogout, Termination } from '../recording/session-logout.ts'
import { roundOf, sessionLogoutStream, toEvent, uidOfStream } from '../recording/session-logout-events.ts'
import { laneOf } from '../work/lanes.ts'
import { type Delivery, sealedFor, toBody } from './delivery.ts'
import { workIdOf } from './rounds.ts'

/** The name under which the planner remembers how far it got (the seed's `current_states`). */
export const PLANNER = 'projections.notifications_back_channel_logout'

/** So many clients are looked up at a time. */
const CLIENTS_AT_ONCE = 32

/** What planning works with. */
export interface PlanParts {
  readonly logouts: Pick<LongLogouts, 'read'>
  /** Of this process: the clients of others it does not know. */
  readonly issuer: string
  readonly clients: Pick<ToldClients, 'find'>
  /** Opens what was registered. */
  readonly accountKeys: AccountKeys
}

/** What follows from a batch of commits. */
export interface Plan {
  /** That RPs are owed a token which had no known URI at the login: to be recorded before the work is made. */
  readonly events: readonly NewEvent[]
  readonly work: readonly NewWork[]
  /** Why others could not be made: their subject cannot be opened. Absent: all were made. */
  readonly unreadable?: Error
}

/** What of a commit is planned from. */
export type PlannedCommit = Pick<Commit, 'events' | 'position'> & { readonly meta?: Pick<Meta, 'trace'> }

/**
 * Makes deliveries of session ends: for each `terminated` of the batch, one piece of work for each RP that is owed a
 * token; and for each `replayed` one for the RP that is to be told again. Planning twice makes the same work, which is
 * then there already.
 *
 * @param now - by the work table's clock, milliseconds since 1970: the work is due at once, and what ended first comes
 *   first; a clock that was ahead when the end was recorded delays nothing
 * @returns the deliveries to make, whatever issuer they are for
 */
export async function plan(parts: PlanParts, commits: readonly PlannedCommit[], now: number): Promise<Plan> {
  const causes = causesIn(commits)
  const logouts = await parts.logouts.read(causes.keys(), commits)
  const meant = [...logouts.values()].flatMap((logout) => {
    const { ends, replays } = causes.get(logout.uid) ?? { ends: new Map(), replays: new Map() }
    const positions = new Set([...ends.keys(), ...[...replays.keys()].map(positionOfEnd)])
    const traceOf = (end: Termination, { delivery }: Owed): string | undefined =>
      replays.get(delivery) ?? ends.get(end.position)
    const concerned = [...positions].sort((a, b) => a - b).flatMap((at) => logout.terminationsAt.get(at) ?? [])
    return concerned.flatMap((end) => [
      ...end.owed
        .filter(({ delivery }) => ends.has(end.position) || replays.has(delivery))
        .map((owed): Meant => ({ logout, end, owed, isDecided: true, trace: traceOf(end, owed) })),
      ...(ends.has(end.position) ? end.undecided : []).map(
        (owed): Meant => ({ logout, end, owed, isDecided: false, trace: traceOf(end, owed) }),
      ),
    ])
  })
  const wanted = await wantedOf(parts, meant)
  const isNew = ({ isDecided, isUncertain, end }: Meant): boolean =>
    !isDecided && !isUncertain && end.origin === parts.issuer
  let unreadable: Error | undefined
  const made = wanted.map(async (one) => {
    try {
      return await workFor(parts, one, one.isDecided || isNew(one), now)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      unreadable ??= error
      return []
    }
  })
  const work = (await Promise.all(made)).flat()
  return {
    events: wanted.filter(isNew).map(({ logout, owed }) => owedEvent(logout, owed)),
    work,
    ...(unreadable && { unreadable }),
  }
}

/** A delivery that the batch may be the cause of. */
interface Meant {
  readonly logout: SessionLogout
  readonly end: Termination
  readonly owed: Owed
  readonly isDecided: boolean
  /** Whether the client has a URI could not be looked up. */
  readonly isUncertain?: boolean
  /** The trace context of the commit that is the cause. */
  readonly trace: string | undefined
}

/** Why deliveries of one session are to be made. */
interface Causes {
  /** Positions of its ends, each with the trace context of its commit. */
  readonly ends: Map<number, string | undefined>
  /** Deliveries that an operator has sent again, likewise. */
  readonly replays: Map<string, string | undefined>
}

function causesIn(commits: readonly PlannedCommit[]): Map<string, Causes> {
  const causes = new Map<string, Causes>()
  for (const { events, position, meta } of commits) {
    for (const { stream, type, data } of events) {
      const uid = uidOfStream(stream)
      if (uid === undefined) continue
      const of = causes.get(uid) ?? { ends: new Map(), replays: new Map() }
      if (type === 'session_logout.terminated') of.ends.set(position, meta?.trace)
      else if (type === 'session_logout.back_channel.replayed') of.replays.set(String(data['delivery']), meta?.trace)
      else continue
      causes.set(uid, of)
    }
  }
  return causes
}

/**
 * Without those that are owed nothing: the client had no known URI at the login, and has none now, or does not want to
 * hear of the reason. Each client is looked up once. Those of another issuer, and those that cannot be looked up now, are
 * looked up where they are sent.
 */
async function wantedOf({ issuer, clients }: PlanParts, meant: readonly Meant[]): Promise<Meant[]> {
  const isOpen = ({ isDecided, end }: Meant): boolean => !isDecided && end.origin === issuer
  const ids = new Set(meant.filter(isOpen).map(({ owed }) => owed.registration.clientId))
  const found = new Map<string, Awaited<ReturnType<ToldClients['find']>>>()
  await inParallel([...ids], CLIENTS_AT_ONCE, async (id) => found.set(id, await clients.find(id)))
  return meant.flatMap((one) => {
    if (!isOpen(one)) return [one]
    const client = found.get(one.owed.registration.clientId)
    if (client?.isUncertain) return [{ ...one, isUncertain: true }]
    return client && (client.initiators?.includes(one.end.reason) ?? true) ? [one] : []
  })
}

/**
 * The subject as it lies in the work table, under the ring: the row goes when the RP was told, and an account that is
 * forgotten meanwhile still has to be named to it. Undefined: it was forgotten before.
 */
async function sealedAgain(keys: AccountKeys, sealed: string, uid: string, name: string): Promise<string | undefined> {
  const subject = await keys.open(sealed, sessionLogoutStream(uid))
  return subject === undefined ? undefined : keys.ring.seal(subject, name)
}

function owedEvent({ uid }: SessionLogout, { delivery, registration }: Owed): NewEvent {
  return toEvent(uid, {
    type: 'session_logout.back_channel.owed',
    delivery,
    client_id: registration.clientId,
  })
}

async function workFor(
  { accountKeys }: PlanParts,
  { logout, end, owed, trace }: Meant,
  isDecided: boolean,
  now: number,
): Promise<NewWork[]> {
  const { delivery, registration } = owed
  const { clientId, sid, sealedSubject, includeSid } = registration
  const state = logout.deliveries.get(delivery)
  if (state && state.kind !== 'pending') return []
  const round = roundOf(state ?? {})
  const told = { sessionUid: logout.uid, clientId, sid, includeSid }
  const sealed = await sealedAgain(accountKeys, sealedSubject, logout.uid, sealedFor(delivery, told))
  const body: Delivery = {
    ...told,
    ...(sealed !== undefined && { sealedSubject: sealed }),
    ...(!isDecided && { onlyWithUri: true }),
    reason: end.reason,
    endedAt: end.at,
    attempts: 0,
    badRequests: 0,
    ...(round > 0 && { round }),
    ...(trace !== undefined && { trace }),
  }
  return [
    {
      id: workIdOf(delivery, round),
      lane: laneOf(end.origin, clientId),
      dueAt: Math.min(end.at, now),
      since: end.at,
      body: toBody(body),
    },
  ]
}
