import type { Db } from 'mongodb'
import { systemClock } from '../../lib/clock.ts'
import { KeyRing } from '../../lib/secrets/key-ring.ts'
import { Collections } from './collections.ts'
import { assertOptions, type MongoOptions } from './mongo-event-store.ts'
import { openLog } from './open-log.ts'

/**
 * Makes what is missing in a database, as `MongoEventStore.open` does, and waits for its indexes: on a large log they take
 * longer than an OP may take to start.
 *
 * @throws as `MongoEventStore.open`
 */
export async function prepareLog(db: Db, options: MongoOptions): Promise<void> {
  assertOptions(db, options)
  const collections = new Collections(db, options.prefix ?? '', options.clock ?? systemClock)
  try {
    await openLog(collections, new KeyRing(options.keys), { waits: true })
  } finally {
    collections.close()
  }
}
