import { isDeepStrictEqual } from 'node:util'
import type { EventStore } from '../../../lib/index.ts'
import { sessionLogoutStream } from '../recording/session-logout-events.ts'
import type { Receipt } from './receipt.ts'

/**
 * A receipt now, and again whenever the log has changed it; until the session has ended and nobody is still to be told.
 * The receipt is read anew each time: the log's own order is that of its subscription.
 */
export async function* watchReceipt(
  store: EventStore,
  sessionUid: string,
  read: () => Promise<Receipt>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Receipt, void> {
  if (signal?.aborted) return
  const stream = sessionLogoutStream(sessionUid)
  const after = await store.end()
  let told = await read()
  yield told
  if (isOver(told)) return
  for await (const commits of store.subscribe({ after, ...(signal && { signal }) })) {
    if (!commits.some(({ events }) => events.some((event) => event.stream === stream))) continue
    const receipt = await read()
    if (isDeepStrictEqual(receipt, told)) continue
    told = receipt
    yield told
    if (isOver(told)) return
  }
}

function isOver({ ends, settled }: Receipt): boolean {
  return settled && ends.some(({ whole }) => whole)
}
