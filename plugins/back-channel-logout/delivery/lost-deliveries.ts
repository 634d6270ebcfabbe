import type { AccountKeys, Clock, EventStore, NewWork } from '../../../lib/index.ts'
import { plannedUpTo } from '../receipts/planned.ts'
import { positionOfEnd } from '../recording/delivery-id.ts'
import { readLogouts } from '../recording/histories.ts'
import { endsStream } from '../recording/index-streams.ts'
import { LongLogouts } from '../recording/long-logouts.ts'
import { PAGE_SIZE, pagesOf } from '../recording/pages.ts'
import type { SessionLogout } from '../recording/session-logout.ts'
import { uidOfStream } from '../recording/session-logout-events.ts'
import { fromBody } from './delivery.ts'
import { DEFAULT_POLICY } from './delivery-policy.ts'
import { parkedPositions } from './parked-commits.ts'
import { plan } from './planner.ts'

/** A logout token that the log says is pending, and that lies in no table of work: nobody will send it. */
export interface LostDelivery {
  readonly delivery: string
  readonly sessionUid: string
  readonly clientId: string
  /** When the session's end was recorded, milliseconds since 1970. */
  readonly endedAt: number
}

/** So many commits that end sessions are looked at, the newest. */
const LOOKED = 1_000

/** Rows of so many pending deliveries are asked for. */
const ASKED = 2_000

/** So many parked commits are looked at. */
const MOST_PARKED = 1_000

/** What they are looked for in. */
interface Parts {
  readonly store: EventStore
  readonly accountKeys: AccountKeys
  readonly issuer: string
  readonly clock: Clock
}

/**
 * The issuer's deliveries that are pending in the log, and that the planner has passed, and of which there is no row: those
 * of the newest 1,000 commits that end sessions, of the first 2,000 that are pending in them. Those that were sent again by
 * operators are not looked for.
 */
export async function lostDeliveries({ store, issuer }: Parts): Promise<LostDelivery[]> {
  // Before the rows: the planner makes those of a commit before its checkpoint passes it.
  const planned = await plannedUpTo(store)
  const parked = await parkedPositions(store, MOST_PARKED)
  if (parked.length >= MOST_PARKED) return [] // what is parked has no rows, and cannot be told from what is lost
  const work = store.work('deliveries')
  const lost: LostDelivery[] = []
  let [looked, asked] = [0, 0]
  for await (const page of pagesOf(store, [endsStream(issuer)], { to: planned, order: 'newest', size: PAGE_SIZE })) {
    const uids = page.flatMap(({ events }) => events.map(({ stream }) => uidOfStream(stream)))
    const logouts = await readLogouts(store, new Set(uids.filter((uid) => uid !== undefined)))
    const positions = new Set(page.map(({ position }) => position).filter((position) => !parked.includes(position)))
    for (const delivery of [...logouts.values()].flatMap((logout) => pendingIn(logout, issuer, positions))) {
      if (asked === ASKED) return lost
      asked += 1
      if ((await work.get(delivery.delivery)) === undefined) lost.push(delivery)
    }
    looked += page.length
    if (looked >= LOOKED) break
  }
  return lost
}

/** What is pending of the ends in these commits, in its first round. */
function pendingIn(logout: SessionLogout, issuer: string, positions: ReadonlySet<number>): LostDelivery[] {
  return logout.terminations
    .filter(({ position, origin }) => origin === issuer && positions.has(position))
    .flatMap(({ owed, at }) => owed.map((one) => ({ ...one, at })))
    .filter(({ delivery }) => {
      const { kind, round } = logout.deliveries.get(delivery) ?? { kind: 'pending' }
      return kind === 'pending' && round === undefined
    })
    .map(({ delivery, registration, at }) => ({
      ...{ delivery, sessionUid: logout.uid },
      ...{ clientId: registration.clientId, endedAt: at },
    }))
}

/**
 * Plans the ends of lost deliveries again: the OP's processes send what is put back. Twice does no harm. What is older than
 * the default maximum age becomes a dead letter, which operators can send again.
 *
 * @returns how many were put back
 */
export async function restoreDeliveries(parts: Parts): Promise<number> {
  const { store, accountKeys, issuer } = parts
  const lost = new Map((await lostDeliveries(parts)).map((one) => [one.delivery, one]))
  const work = store.work('deliveries')
  const logouts = new LongLogouts(store)
  const positions = new Set([...lost.keys()].map(positionOfEnd))
  let restored = 0
  for (const position of positions) {
    const commits = await store.readAll({ after: position - 1, limit: 1 })
    const clients = { find: async () => undefined } // whom an end owes a token without asking is recorded
    const planned = await plan({ logouts, issuer, clients, accountKeys }, commits, await work.time())
    const rows = planned.work.filter(({ id }) => lost.has(id)).map(withDeadline)
    await work.add(rows)
    restored += rows.length
  }
  return restored
}

/** What a process of the OP would allow by default: its own policy is not known here. */
function withDeadline(row: NewWork): NewWork {
  return { ...row, deadline: fromBody(row.body).endedAt + DEFAULT_POLICY.maxAgeMs }
}
