import { inTime } from '../../lib/in-time.ts'
import type { Clock, EventStore, WorkTable } from '../../lib/index.ts'
import { firstAfter } from '../../lib/log/behind.ts'
import { countDeadLetters } from './dead-letters/listing.ts'
import { AT_ONCE } from './delivery/delivery-worker.ts'
import type { ParkedCommits } from './delivery/parked-commits.ts'
import { PLANNER } from './delivery/planner.ts'
import { laneOf, lanePrefix } from './work/lanes.ts'

/** A count that costs the same however much there is. */
export interface BoundedCount {
  readonly count: number
  /** There are that many; otherwise at least that many, and nobody looked further. */
  readonly isExact: boolean
}

/** What an operator's probe needs to know, from one process. */
export interface Health {
  /**
   * The store answered, the planner runs and is less than a minute behind, no commit is parked, and none was found that
   * somebody else has written. What RPs do is no fault of
   * this OP.
   */
  readonly isWell: boolean
  readonly store: {
    readonly isReachable: boolean
    /** Why not. */
    readonly error?: string
  }
  /**
   * What this process has found in the database that this OP has not stored: how many commits, and the first of them. Absent:
   * nothing.
   */
  readonly forged?: { readonly commits: number; readonly first: number }
  /** Whether back-channel logout is on for this issuer. Off: what is owed waits. */
  readonly isOn: boolean
  /** Absent while the store does not answer, as all below. */
  readonly planner?: {
    /** How many positions of the log no process has planned yet. */
    readonly behind: number
    /** Since when the oldest of them is in the log, in milliseconds; 0: none is. */
    readonly behindMs: number
    /** Why the planner of this process has stopped by itself; it starts again with the process. */
    readonly stopped?: string
  }
  readonly deliveries?: {
    /** How many logout tokens are owed by this issuer. Absent: so many that they could not be counted within 2 s. */
    readonly open?: number
    /**
     * For how long the oldest of them has been due that may be sent, in milliseconds; 0: none is due. Those for RPs that are
     * paused, or that this process leaves alone since they fail, are not among them. Absent: an operator has made some due
     * at once, and they wait.
     */
    readonly overdueMs?: number
  }
  /** By the last 100 facts: that a delivery became one, or that one was replayed. */
  readonly deadLetters?: BoundedCount
  /** Commits that could not be planned, of all issuers. */
  readonly parked?: BoundedCount
  /** Clients whose RPs this process leaves alone, since they fail again and again. */
  readonly openCircuits?: readonly string[]
}

/** What health is judged by. */
export interface HealthParts {
  readonly store: EventStore
  readonly clock: Clock
  readonly issuer: string
  readonly work: WorkTable
  readonly parked: ParkedCommits
  readonly isOn: () => boolean
  /** Clients to which operators have nothing sent for now. */
  readonly paused: () => ReadonlySet<string>
  readonly openCircuits: () => readonly string[]
  readonly plannerFailure: () => Error | undefined
}

/** How long the store may take, in milliseconds. */
const STORE_MS = 5_000

/** How long counting what is owed may take, in milliseconds. */
const COUNT_MS = 2_000

/** A planner that is so far behind, in milliseconds, is a fault: clocks of writers may differ by seconds. */
const BEHIND_MS = 60_000

/** So many RPs that nothing is sent to are told apart from the others. */
const MOST_LEFT_OUT = 1_000

/** So many are counted. */
const MOST = 100

/** Never rejects: a store that is away is what the probe asks for. */
export async function healthOf(parts: HealthParts): Promise<Health> {
  const isOn = parts.isOn()
  try {
    const reading = readHealth(parts)
    if (!(await inTime(reading, parts.clock, STORE_MS))) throw new Error(`no answer within ${STORE_MS} ms`)
    const found = await reading
    const { planner, parked } = found
    const [first] = parts.store.forged ?? []
    const forged = first === undefined ? undefined : { commits: parts.store.forged?.size ?? 0, first }
    const isWell = !forged && planner.stopped === undefined && planner.behindMs < BEHIND_MS && parked.count === 0
    return { isWell, store: { isReachable: true }, isOn, ...(forged && { forged }), ...found }
  } catch (err) {
    const error = err instanceof Error ? err.message : String(err)
    return { isWell: false, store: { isReachable: false, error }, isOn }
  }
}

async function readHealth(parts: HealthParts) {
  const { store, issuer } = parts
  const [planner, open, overdueMs, deadLetters, parked] = await Promise.all([
    plannerOf(parts),
    countOpen(parts),
    overdueMsOf(parts),
    countDeadLetters({ store, issuer }, MOST),
    countParked(parts),
  ])
  const deliveries = { ...(open !== undefined && { open }), ...(overdueMs !== undefined && { overdueMs }) }
  return { planner, deliveries, deadLetters, parked, openCircuits: parts.openCircuits() }
}

async function plannerOf({ store, clock, plannerFailure }: HealthParts): Promise<NonNullable<Health['planner']>> {
  const position = (await store.consumers.get(PLANNER))?.position ?? 0 // before the end is read, which only grows
  const [end, oldest] = await Promise.all([store.end(), firstAfter(store, position)])
  const failure = plannerFailure()
  return {
    behind: oldest ? Math.max(0, end - position) : 0, // whatever lost a race leaves a position without a commit
    behindMs: oldest?.at === undefined ? 0 : Math.max(0, clock.now() - oldest.at),
    ...(failure && { stopped: failure.message }),
  }
}

async function overdueMsOf({ work, issuer, paused, openCircuits }: HealthParts): Promise<number | undefined> {
  const left = [...new Set([...paused(), ...openCircuits()])].slice(0, MOST_LEFT_OUT)
  const except = left.map((clientId) => laneOf(issuer, clientId))
  const prefix = lanePrefix(issuer)
  const dueAt = await work.nextDueAt(prefix, { except, after: AT_ONCE })
  if (dueAt !== undefined) return Math.max(0, (await work.time()) - dueAt)
  return (await work.nextDueAt(prefix, { except })) === undefined ? 0 : undefined
}

/** What is owed decides how long this takes, and says nothing of whether the store answers. */
async function countOpen({ work, issuer, clock }: HealthParts): Promise<number | undefined> {
  const counting = work.countOpen({ prefix: lanePrefix(issuer) })
  return (await inTime(counting, clock, COUNT_MS)) ? counting : undefined
}

async function countParked({ parked }: HealthParts): Promise<BoundedCount> {
  const count = await parked.count(MOST)
  return { count, isExact: count < MOST }
}
