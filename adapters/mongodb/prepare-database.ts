import { SchemaNewerError, ServerUnfitError } from '../../lib/errors.ts'
import { SCHEMA_VERSION } from '../../lib/log/prepare.ts'
import type { KeyRing } from '../../lib/secrets/key-ring.ts'
import type { Collections } from './collections.ts'
import { isDuplicate } from './outcome.ts'
import { type AskWith, needing } from './rights.ts'

/** What is in the collections beside the log: the schema version and the counter. Safe to run in many processes at once. */
export async function prepareDatabase(collections: Collections, keys: KeyRing, ask: AskWith): Promise<void> {
  await recordSchema(collections, keys, ask)
  await raiseCounter(collections, ask)
}

/** Never below the last position: a counter that was lost would give positions that are taken, one after the other. */
async function raiseCounter(collections: Collections, ask: AskWith): Promise<void> {
  const counter = await ask((signal) =>
    collections.counters.findOne({ _id: 'events' }, { projection: { n: 1 }, signal }),
  )
  const above = counter?.n === undefined ? {} : { _id: { $gt: BigInt(counter.n) } }
  const last = await ask((signal) =>
    collections.events.findOne(above, { sort: { _id: -1 }, projection: { _id: 1 }, signal }),
  )
  if (counter?.n !== undefined && !last) return
  const end = BigInt(last?._id ?? 0)
  await ask((signal) =>
    ignoringDuplicate(
      collections.update('counters', { q: { _id: 'events' }, u: { $max: { n: end } }, upsert: true }, signal),
    ),
  )
}

/** @throws SchemaNewerError, KeyUnknownError */
async function recordSchema(collections: Collections, keys: KeyRing, ask: AskWith): Promise<void> {
  const record = (u: object): Promise<unknown> =>
    needing('update', collections.namespace('counters'), () =>
      ask((signal) =>
        ignoringDuplicate(collections.update('counters', { q: { _id: 'schema' }, u, upsert: true }, signal)),
      ),
    )
  const hashing = keys.hashingFingerprints()
  const sealing = keys.sealingFingerprint()
  await record({ $setOnInsert: { version: SCHEMA_VERSION, hashing, sealing: [sealing] } })
  const found = await ask((signal) => collections.schema.findOne({ _id: 'schema' }, { signal }))
  if (!found) {
    throw new ServerUnfitError(
      'the schema version was written and cannot be read back: is this user allowed to read the database?',
    )
  }
  if (found.version > SCHEMA_VERSION) throw new SchemaNewerError('the database', found.version, SCHEMA_VERSION)
  keys.assertHashingKnown(found.hashing)
  const retired = keys.assertSealingKnown(found.sealing)
  if (retired.length > 0) await record({ $pull: { sealing: { $in: retired } } })
  await record({ $addToSet: { hashing: { $each: hashing }, sealing } })
}

async function ignoringDuplicate(write: Promise<unknown>): Promise<void> {
  try {
    await write
  } catch (error) {
    if (!isDuplicate(error)) throw error // another process was faster
  }
}
