import { isDeepStrictEqual } from 'node:util'
import type { Clock, Commit, EventStore } from '../../../lib/index.ts'
import { PAGE_SIZE, pagesOf } from '../recording/pages.ts'
import { sessionLogoutStream } from '../recording/session-logout-events.ts'
import { evolve, nothing } from '../recording/session-logout-fold.ts'
import { plannedUpTo } from './planned.ts'
import { type Receipt, type ReceiptView, receiptOf } from './receipt.ts'

/** How often it is looked whether the planner has decided whom to tell, in milliseconds. */
const LOOK_MS = 1_000

/** What a receipt is watched with. */
export interface WatchParts {
  readonly store: EventStore
  readonly clock: Clock
}

/**
 * A receipt now, and again whenever the log has changed it; until the session has ended and nobody is still to be told.
 * The session's stream is read once; from then on each commit costs itself.
 */
export async function* watchReceipt(
  { store, clock }: WatchParts,
  sessionUid: string,
  view: Pick<ReceiptView, 'waiting'>,
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
  const catchUp = async (): Promise<void> => {
    const pages = pagesOf(store, [stream], { from: position + 1, order: 'oldest', size: PAGE_SIZE })
    for await (const page of pages) page.forEach(take)
  }
  let planned = await plannedUpTo(store)
  await catchUp()
  let told: Receipt | undefined
  const changes = store.subscribe({ after, ...(signal && { signal }) })[Symbol.asyncIterator]()
  try {
    for (;;) {
      const receipt = receiptOf(state, { ...view, planned })
      if (!isDeepStrictEqual(receipt, told)) yield receipt
      told = receipt
      if (isOver(receipt)) return
      if (isOver(receiptOf(state))) {
        // The planner alone may know of somebody to tell. Where there is nobody, nothing is recorded.
        await clock.sleep(LOOK_MS, signal)
        if (signal?.aborted) return
        planned = await plannedUpTo(store)
        await catchUp()
      } else {
        for (let isChanged = false; !isChanged; ) {
          const { done, value: commits = [] } = await changes.next()
          if (done) return
          for (const commit of commits) isChanged = take(commit) || isChanged
        }
      }
    }
  } finally {
    await changes.return?.()
  }
}

function isOver({ ends, settled }: Receipt): boolean {
  return settled && ends.some(({ scope }) => scope === 'session')
}
