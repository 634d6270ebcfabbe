import type { CollectionOptions, Document } from 'mongodb'

/** How values are read and written, whatever the caller's client says: numbers as numbers. */
export const BSON_SETTINGS = {
  promoteLongs: true,
  promoteValues: true,
  promoteBuffers: false,
  useBigInt64: false,
  bsonRegExp: false,
  // An object without a prototype: the driver looks field names up in it, and `constructor` must not be found.
  fieldsAsRaw: Object.create(null) as Document,
  ignoreUndefined: false,
  serializeFunctions: false,
  raw: false,
} as const

/** What every write of this store waits for. */
export const WRITE_CONCERN = { w: 'majority', j: true } as const

/** How this store talks to its collections: the primary, acknowledged by the majority and its journal. */
export const SETTINGS: CollectionOptions = {
  readPreference: 'primary',
  readConcern: { level: 'local' },
  writeConcern: { w: 'majority', journal: true },
  ...BSON_SETTINGS,
}

/** The largest number of documents in one answer of the server. Beyond it the driver asks again. */
export const DOCUMENTS_AT_ONCE = 1_000

/** A missing position is left to its writer for this long, in milliseconds, or longer where inserts are slow. */
export const HOLE_MS = 1_000
