import type { Commit, EventStore, JsonObject, NewWork } from '../../../lib/index.ts'
import { completionStream, orderOfStream } from '../recording/index-streams.ts'
import { lanePrefix } from '../work/lanes.ts'
import { newOrder, type Order, toOrderBody } from './order.ts'
import type { Completed, Ordered } from './order-events.ts'

/** The due time of an order, whatever the clock of the process that did its last page. */
export const AT_ONCE = 0

/** What an order came to. Undefined: it is not carried out yet. */
export async function completionOf(store: EventStore, id: string): Promise<Completed | undefined> {
  const newest = await store.latest(completionStream(id))
  const completed = newest?.events.find(({ type }) => type === 'termination.completed')
  return completed?.data as unknown as Completed | undefined
}

/** The work that a commit's orders make: of the issuer in whose name they were given. */
export function ordersIn({ events, position, meta: { instance } }: Commit): NewWork[] {
  return events.flatMap(({ stream, type, data }) => {
    const id = orderOfStream(stream)
    if (id === undefined || type !== 'termination.ordered' || instance === undefined) return []
    return [orderWork(newOrder(id, position, data as unknown as Ordered), instance)]
  })
}

export function orderWork(order: Order, issuer: string): NewWork {
  const lane = `${lanePrefix(issuer)}order ${order.id}`
  return { id: `order/${order.id}`, lane, dueAt: AT_ONCE, body: toOrderBody(order) as JsonObject }
}
