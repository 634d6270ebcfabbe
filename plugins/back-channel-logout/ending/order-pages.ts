import type { Commit, EventStore } from '../../../lib/index.ts'
import { type Order, revokesLeftGrants } from './order.ts'
import { orderStream } from './order-events.ts'

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
  const name = order.target.kind === 'account' ? accountStreams(store, order)[stream] : undefined
  const found =
    name === undefined
      ? await store.readAll({ after, limit: most })
      : await store.read(name, { from: after + 1, limit: most })
  const commits = found.filter((commit) => commit.position < position)
  const last = found.at(-1)
  const more = last !== undefined && last.position < position && found.length === most
  return { commits, next: more ? { ...placeOf(order), after: last.position } : nextPass(store, order) }
}

/** The account's streams: one for each hashing key. */
function accountStreams(store: EventStore, { id, target }: Order): readonly string[] {
  if (target.kind !== 'account') return []
  return store.keys.streams('account', String(store.keys.open(target.account, orderStream(id))))
}

function nextPass(store: EventStore, order: Order): OrderPage['next'] {
  const { pass, stream } = order
  if (stream + 1 < accountStreams(store, order).length) return { pass, stream: stream + 1, after: 0 }
  return pass === 'sessions' && revokesLeftGrants(order) ? { pass: 'grants', stream: 0, after: 0 } : undefined
}

function placeOf({ pass, stream }: Order): Pick<Order, 'pass' | 'stream'> {
  return { pass, stream }
}
