import { isDeepStrictEqual } from 'node:util'
import type { Commit, EventStore } from '../../../lib/index.ts'
import type { SessionLogout } from '../recording/session-logout.ts'
import { sessionLogoutStream } from '../recording/session-logout-events.ts'
import { evolve, nothing } from '../recording/session-logout-fold.ts'
import type { Receipt } from './receipt.ts'

/**
 * A receipt now, and again whenever the log has changed it; until the session has ended and nobody is still to be told.
 * The session's stream is read once; from then on each commit costs itself.
 */
export async function* watchReceipt(
  store: EventStore,
  sessionUid: string,
  receiptOf: (logout: SessionLogout) => Receipt,
  signal: AbortSignal | undefined,
): AsyncGenerator<Receipt, void> {
  if (signal?.aborted) return
  const stream = sessionLogoutStream(sessionUid)
  const after = await store.end()
  const state = nothing(sessionUid)
  let position = 0
  const take = (commit: Commit): boolean => {
    if (commit.position <= position || !commit.events.some((event) => event.stream === stream)) return false
    evolve(state, commit)
    position = commit.position
    return true
  }
  for (const commit of await store.read(stream)) take(commit)
  let told = receiptOf(state)
  yield told
  if (isOver(told)) return
  for await (const commits of store.subscribe({ after, ...(signal && { signal }) })) {
    if (commits.filter(take).length === 0) continue
    const receipt = receiptOf(state)
    if (isDeepStrictEqual(receipt, told)) continue
    told = receipt
    yield told
    if (isOver(told)) return
  }
}

function isOver({ ends, settled }: Receipt): boolean {
  return settled && ends.some(({ whole }) => whole)
}
