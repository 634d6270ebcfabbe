import type { Commit, EventStore } from '../../../lib/index.ts'
import { accountStreams } from '../recording/found-by.ts'
import { accountOf, type Order, revokesLeftGrants } from './order.ts'

/** A page of the log in which sessions and grants of an order may be found. */
export interface OrderPage {
  readonly commits: readonly Commit[]
  /** Where to go on; undefined: this was the last page. */
  readonly next: Pick<Order, 'pass' | 'stream' | 'after'> | undefined
}

/**
 * The next page of an order: of the account's streams, or of the whole log, since no index is paid for at each login for
 * what is asked for once a year. Pages end where the order stands in the log.
 */
export async function orderPage(store: EventStore, order: Order, most: number): Promise<OrderPage> {
  const { position, after, stream } = order
  const names = streamsOf(store, order)
  const name = names?.[stream]
  // A process that has fewer hashing keys carries it on: there is nothing more that it could find.
  if (names && name === undefined) return { commits: [], next: nextPass(store, order) }
  const found =
    name === undefined
      ? await store.readAll({ after, limit: most })
      : await store.read(name, { from: after + 1, limit: most })
  const commits = found.filter((commit) => commit.position < position)
  const last = found.at(-1)
  const more = last !== undefined && last.position < position && found.length === most
  return { commits, next: more ? { ...placeOf(order), after: last.position } : nextPass(store, order) }
}

/** Whether the order has met a commit already: while hashing keys rotate it is in several of the account's streams. */
export function wasMet(store: EventStore, order: Order, { events }: Commit): boolean {
  const before = streamsOf(store, order)?.slice(0, order.stream) ?? []
  return before.some((name) => events.some((event) => event.stream === name || event.also?.includes(name)))
}

/** The account's streams: one for each hashing key. Undefined: it is the whole log that is read. */
function streamsOf(store: EventStore, order: Order): readonly string[] | undefined {
  const account = accountOf(store.keys, order)
  return account === undefined ? undefined : accountStreams(store.keys, account)
}

function nextPass(store: EventStore, order: Order): OrderPage['next'] {
  const { pass, stream } = order
  if (stream + 1 < (streamsOf(store, order)?.length ?? 0)) return { pass, stream: stream + 1, after: 0 }
  return pass === 'sessions' && revokesLeftGrants(order) ? { pass: 'grants', stream: 0, after: 0 } : undefined
}

function placeOf({ pass, stream }: Order): Pick<Order, 'pass' | 'stream'> {
  return { pass, stream }
}
