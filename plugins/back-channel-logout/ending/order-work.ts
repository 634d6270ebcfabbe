import type { Commit, EventStore, JsonObject, NewWork } from '../../../lib/index.ts'
import { orderOfStream, orderStream } from '../recording/index-streams.ts'
import { lanePrefix } from '../work/lanes.ts'
import { newOrder, type Order, toOrderBody } from './order.ts'
import type { Ordered } from './order-events.ts'

/** The due time of an order, whatever the clock of the process that did its last page. */
export const AT_ONCE = 0

/** Whether the order was carried out before: its work was made again, from the log. */
export async function isCompleted(store: EventStore, id: string): Promise<boolean> {
  const newest = await store.latest(orderStream(id))
  return newest?.events.some(({ type }) => type === 'termination.completed') ?? false
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
