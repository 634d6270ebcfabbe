import type { Db, MongoClient } from 'mongodb'
import type Provider from 'oidc-provider'
import type { EventSourced, EventStore } from '../../lib/index.ts'

/** What the scripts of the guides import from `./op.js`. */
export let client: Pick<MongoClient, 'close'> & { db(name: string): Db }
export let store: Pick<EventStore, 'close'>
export let op: EventSourced
export let provider: Provider

/** Sets it for the script that is imported next. */
export function use(parts: { client: typeof client; store: typeof store; op: EventSourced; provider: Provider }): void {
  client = parts.client
  store = parts.store
  op = parts.op
  provider = parts.provider
}
