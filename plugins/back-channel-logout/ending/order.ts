import type { JsonObject, KeyRing } from '../../../lib/index.ts'
import { accountStreams, orderStream } from '../recording/index-streams.ts'
import type { CandidatePlace, Wanted } from './candidates.ts'
import { NOTHING_YET, type OrderReason, type OrderTarget, type Tally } from './order-events.ts'

/** An order as it lies in the work table: what is to end, and how far that got. */
export interface Order {
  readonly kind: 'order'
  readonly id: string
  readonly target: OrderTarget
  readonly reason: OrderReason
  readonly actor: string
  /** Where the order stands in the log: what began after it is not meant. */
  readonly position: number
  /** Sessions first: with each of them go its grants. Then the grants that are left, where the reason asks for them. */
  readonly pass: 'sessions' | 'grants'
  /** How far the pass has got; absent: it begins. */
  readonly place?: CandidatePlace
  readonly tally: Tally
  readonly failed: number
  /** Up to where in the log the order's own ends are counted. */
  readonly counted: number
}

/** An order at its beginning. */
export function newOrder(
  id: string,
  position: number,
  { target, reason, actor }: Pick<Order, 'target' | 'reason' | 'actor'>,
): Order {
  const start = { pass: 'sessions' as const, tally: NOTHING_YET, failed: 0, counted: position }
  return { kind: 'order', id, target, reason, actor, position, ...start }
}

/** The account whose sessions are to end. Undefined: the order is not about one. */
export function accountOf(keys: KeyRing, { id, target }: Pick<Order, 'id' | 'target'>): string | undefined {
  return target.kind === 'account' ? String(keys.open(target.account, orderStream(id))) : undefined
}

/** Whether what is somebody's is meant: wherever in the log it was found, and whosever it was before. */
export function isMeant(keys: KeyRing, order: Pick<Order, 'id' | 'target'>, accountId: unknown): accountId is string {
  return typeof accountId === 'string' && accountId === (accountOf(keys, order) ?? accountId)
}

/** Whether no page of it was done yet. */
export function isAtItsBeginning({ pass, place }: Order): boolean {
  return pass === 'sessions' && place === undefined
}

/** What the order's pass looks for. */
export function wantedBy(keys: KeyRing, order: Order): Wanted {
  const account = accountOf(keys, order)
  return {
    kind: order.pass === 'sessions' ? 'session' : 'grant',
    before: order.position,
    ...(account !== undefined && { accounts: accountStreams(keys, account) }),
  }
}

/** The order after a page; undefined: there is no other. */
export function afterPage(order: Order, next: CandidatePlace | undefined): Order | undefined {
  const { place: _, ...rest } = order
  if (next) return { ...rest, place: next }
  return order.pass === 'sessions' && revokesLeftGrants(order) ? { ...rest, pass: 'grants' } : undefined
}

/** Which grants go with a session. Those of offline access outlive a logout, but not the account, nor its password. */
export function grantsWithSession({ target, reason }: Pick<Order, 'target' | 'reason'>): 'sessionBound' | 'all' {
  return reason !== 'admin' || target.kind === 'client' ? 'all' : 'sessionBound'
}

/** The client whose logins alone are to end; undefined: it is about whole sessions. */
export function clientOf({ target }: Pick<Order, 'target'>): string | undefined {
  return target.kind === 'client' ? target.client_id : undefined
}

/** Whether grants that no live session holds are revoked, too. */
export function revokesLeftGrants(order: Pick<Order, 'target' | 'reason'>): boolean {
  return grantsWithSession(order) === 'all'
}

export function toOrderBody(order: Order): JsonObject {
  return order as unknown as JsonObject
}
