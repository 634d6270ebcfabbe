import { assertKnown, assertReading, assertText, type ReadingOptions } from '../recording/criteria.ts'
import { readLogouts } from '../recording/histories.ts'
import { terminationStream } from '../recording/index-streams.ts'
import { PAGE_SIZE, pagesOf } from '../recording/pages.ts'
import { uidOfStream } from '../recording/session-logout-events.ts'
import type { HistoryParts } from './history.ts'
import { plannedUpTo } from './planned.ts'
import { type Receipt, receiptOf } from './receipt.ts'

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertReceiptsOf(terminationId: string, options: Pick<ReadingOptions, 'limit' | 'signal'>): void {
  assertText('terminationId', terminationId)
  assertKnown(options, ['limit', 'signal'])
  assertReading(options)
}

/**
 * The receipts of what a termination has ended so far, in the order of the ends. Reads the termination's own stream: what
 * else the account did costs nothing.
 */
export async function* receiptsOfTermination(
  { store, waiting }: Omit<HistoryParts, 'issuer'>,
  terminationId: string,
  { limit = Number.POSITIVE_INFINITY, signal }: Pick<ReadingOptions, 'limit' | 'signal'>,
): AsyncGenerator<Receipt, void> {
  const stream = terminationStream(terminationId)
  const size = Math.min(PAGE_SIZE, limit)
  let left = limit
  for await (const page of pagesOf(store, [stream], { order: 'oldest', size })) {
    if (signal?.aborted) return
    const ends = page
      .flatMap(({ events }) => events)
      .filter(({ type, also = [] }) => type === 'session_logout.terminated' && also.includes(stream))
    const uids = new Set(ends.map((end) => uidOfStream(end.stream)).filter((uid) => uid !== undefined))
    const planned = await plannedUpTo(store)
    for (const logout of (await readLogouts(store, uids)).values()) {
      yield receiptOf(logout, { planned, ...(waiting && { waiting }) })
      left -= 1
      if (left === 0 || signal?.aborted) return
    }
  }
}
