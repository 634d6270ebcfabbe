import type { Db, IndexDescription } from 'mongodb'
import { isGrantable } from '../../../lib/provider/models.ts'

/*
 * The layout of oidc-provider's example adapter for MongoDB, as its versions 6 to 8.8 had it: a collection for each model,
 * called after it in snake case, and documents `{ _id: id, payload, expiresAt }`.
 */

/** Where an export says that the collections beside it are its own. */
const MARK = 'eventstore_export'

/** The collection of a model: `access_token`. */
export function classicCollection(model: string): string {
  return model.replaceAll(/(?<=[\p{Ll}\p{N}])(?=\p{Lu})/gu, '_').toLowerCase()
}

/** The indexes that the example adapter has made; that of `uid` is not unique, since a session's id rotates. */
export function classicIndexes(model: string): IndexDescription[] {
  return [
    { key: { expiresAt: 1 }, expireAfterSeconds: 0 },
    ...(isGrantable(model) ? [{ key: { 'payload.grantId': 1 as const } }] : []),
    ...(model === 'Session' ? [{ key: { 'payload.uid': 1 as const } }] : []),
    ...(model === 'DeviceCode' ? [{ key: { 'payload.userCode': 1 as const } }] : []),
  ]
}

/** Whether an export has written to the database. */
export async function isExport(db: Db): Promise<boolean> {
  return (await db.collection<{ _id: string }>(MARK).findOne({ _id: 'classic' })) !== null
}

export async function markAsExport(db: Db, at: Date): Promise<void> {
  const marks = db.collection<{ _id: string; at: Date }>(MARK)
  await marks.updateOne({ _id: 'classic' }, { $set: { at } }, { upsert: true, writeConcern: { w: 'majority' } })
}
