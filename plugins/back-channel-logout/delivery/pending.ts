import { OptionInvalidError, type Work, type WorkTable } from '../../../lib/index.ts'
import type { Reason } from '../reasons.ts'
import { assertKnown, assertReading, assertText, type ReadingOptions } from '../recording/criteria.ts'
import { PAGE_SIZE } from '../recording/pages.ts'
import { roundOf } from '../recording/session-logout-events.ts'
import { laneOf, lanePrefix } from '../work/lanes.ts'
import { fromBody } from './delivery.ts'
import { deliveryOf } from './rounds.ts'

/** Which pending deliveries. Nothing: all of the issuer. */
export interface PendingCriteria {
  /** Those that this client is to get. */
  readonly client?: string
}

/** A logout token that an RP is still to get. */
export interface PendingDelivery {
  readonly delivery: string
  readonly sessionUid: string
  readonly clientId: string
  readonly sid: string
  /** Why the session ended. */
  readonly reason: Reason
  /** When the session's end was recorded, milliseconds since 1970. */
  readonly endedAt: number
  /** How often it was tried, since the last replay. */
  readonly attempts: number
  /** Whether a process has it in hand now. */
  readonly inHand: boolean
  /** When it is due, milliseconds since 1970 by the store's clock; in the past where its RP cannot be asked now. */
  readonly dueAt: number
  /** When it becomes a dead letter for its age, milliseconds since 1970 by the store's clock. */
  readonly expiresAt?: number
  /** The RP's last HTTP status, where it answered. */
  readonly status?: number
  /** Why the last attempt had no answer. */
  readonly error?: string
  /** What the RP said to the last attempt: its start, without what looks like a token. */
  readonly answer?: string
  /** How often it was replayed. */
  readonly replays: number
}

/** How much a client is still to get. */
export interface PendingCount {
  readonly clientId: string
  readonly pending: number
  /** When the session's end was recorded that the client has waited longest to be told of, milliseconds since 1970. */
  readonly oldestEndedAt?: number
}

/** Which clients to count. */
export interface PendingCountOptions {
  /** At most so many, those with most. Default: 100. */
  readonly limit?: number
  /** Only these. Default: all. */
  readonly clients?: readonly string[]
}

/** What pending deliveries are read with. */
export interface PendingParts {
  readonly work: WorkTable
  readonly issuer: string
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertPending(criteria: PendingCriteria, options: Pick<ReadingOptions, 'limit' | 'signal'>): void {
  assertKnown(criteria, ['client'])
  if (criteria.client !== undefined) assertText('client', criteria.client)
  assertKnown(options, ['limit', 'signal'])
  assertReading(options)
}

/** By client, then those due first. Reads the work table alone, a page at a time. */
export async function* pendingOf(
  parts: PendingParts,
  criteria: PendingCriteria,
  { limit = Number.POSITIVE_INFINITY, signal }: Pick<ReadingOptions, 'limit' | 'signal'>,
  size: number = PAGE_SIZE,
): AsyncGenerator<PendingDelivery, void> {
  let left = limit
  for (let after: Work | undefined; left > 0; ) {
    const most = Math.min(size, left)
    const page = await pendingRows(parts, criteria, most, after)
    for (const { pending } of page) {
      if (signal?.aborted) return
      yield pending
    }
    left -= page.length
    if (page.length < most) return
    after = page.at(-1)?.row
  }
}

/** Some of them, with their rows in the work table. */
export async function pendingRows(
  { work, issuer }: PendingParts,
  { client }: PendingCriteria,
  limit: number,
  after: Pick<Work, 'lane' | 'dueAt' | 'id'> | undefined,
): Promise<{ readonly row: Work; readonly pending: PendingDelivery }[]> {
  const which = client === undefined ? { prefix: lanePrefix(issuer) } : { lane: laneOf(issuer, client) }
  const rows = await work.open({ ...which, limit, ...(after && { after }) })
  return rows.map((row) => ({ row, pending: pendingDelivery(row) }))
}

/**
 * Clients with pending deliveries, those with most first.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export async function pendingByClient(
  { work, issuer }: PendingParts,
  options: PendingCountOptions,
): Promise<PendingCount[]> {
  assertKnown(options, ['limit', 'clients'])
  const { limit = PAGE_SIZE, clients } = options
  assertReading({ limit })
  if (clients !== undefined && !Array.isArray(clients))
    throw new OptionInvalidError('clients', 'must be an array of client ids')
  for (const client of clients ?? []) assertText('clients', client)
  const prefix = lanePrefix(issuer)
  const lanes = clients?.map((client) => laneOf(issuer, client))
  const counts = await work.busiest({ prefix, limit, ...(lanes && { lanes }) })
  return counts.map(({ lane, open, oldest }) => ({
    clientId: lane.slice(prefix.length),
    pending: open,
    ...(oldest !== undefined && { oldestEndedAt: oldest }),
  }))
}

function pendingDelivery({ id, body, dueAt, deadline, holder }: Work): PendingDelivery {
  const delivery = fromBody(body)
  const { sessionUid, clientId, sid, reason, endedAt, attempts, failure } = delivery
  return {
    delivery: deliveryOf(id),
    sessionUid,
    clientId,
    sid,
    reason,
    endedAt,
    attempts,
    inHand: holder !== undefined,
    dueAt,
    ...(deadline !== undefined && { expiresAt: deadline }),
    ...failure,
    replays: roundOf(delivery),
  }
}
