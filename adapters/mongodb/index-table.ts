import type { AnyBulkWriteOperation } from 'mongodb'
import type { IndexEntry, IndexPlace, IndexTable, NewIndexEntry } from '../../lib/log/index-table.ts'
import type { Collections } from './collections.ts'
import type { IndexDocument } from './documents.ts'
import { indexOn, type LogIndex } from './make-indexes.ts'
import { onlyDuplicates } from './work-queries.ts'

/** Stands for an expiry that never comes. */
const NEVER = Number.MAX_SAFE_INTEGER

/** Two processes that make the same entry at once are told of a duplicate; so often they do it again. */
const MOST_TRIES = 5

/** So many entries are removed with one command, and so many times in a row. */
const SWEPT_AT_ONCE = 1_000
const MOST_SWEEPS = 50

/** An index on MongoDB: a document for each entry. */
export class MongoIndex implements IndexTable {
  readonly #collections: Collections
  readonly #name: string

  constructor(collections: Collections, name: string) {
    this.#collections = collections
    this.#name = name
  }

  /** The indexes that the queries below use. */
  static readonly indexes: readonly LogIndex[] = [indexOn({ keys: 1, first: -1, _id: -1 }), indexOn({ expiresAt: 1 })]

  async put(entries: readonly NewIndexEntry[]): Promise<void> {
    if (entries.length === 0) return
    const writes = entries.map(
      ({ id, keys, position, expiresAt = NEVER }): AnyBulkWriteOperation<IndexDocument> => ({
        updateOne: {
          filter: { _id: id },
          update: {
            $addToSet: { keys: { $each: [...keys] } },
            $min: { first: BigInt(position) },
            $max: { position: BigInt(position), expiresAt },
          },
          upsert: true,
        },
      }),
    )
    for (let tries = 1; ; tries++) {
      let made = true
      await this.#collections.withTimeout(
        this.#entries.bulkWrite(writes, { ordered: false }).catch((error: unknown) => {
          if (tries >= MOST_TRIES || !onlyDuplicates(error)) throw error
          made = false
        }),
      )
      if (made) return
    }
  }

  async remove(places: readonly Pick<IndexEntry, 'id' | 'position'>[]): Promise<void> {
    if (places.length === 0) return
    const writes = places.map(
      ({ id, position }): AnyBulkWriteOperation<IndexDocument> => ({
        deleteOne: { filter: { _id: id, position: { $lte: BigInt(position) } } },
      }),
    )
    await this.#collections.withTimeout(this.#entries.bulkWrite(writes, { ordered: false }))
  }

  async list({
    key,
    after,
    limit,
  }: {
    readonly key: string
    readonly after?: IndexPlace
    readonly limit: number
  }): Promise<IndexEntry[]> {
    const found = await this.#collections.withTimeout(
      this.#entries
        .find({
          keys: key,
          ...(after && below(after)),
        })
        .sort({ first: -1, _id: -1 })
        .limit(limit)
        .toArray(),
    )
    return found.map(entryOf)
  }

  async sweep(expiredBefore: number): Promise<number> {
    let swept = 0
    for (let sweeps = 0; sweeps < MOST_SWEEPS; sweeps++) {
      const old = await this.#collections.withTimeout(
        this.#entries
          .find({ expiresAt: { $lt: expiredBefore } }, { projection: { _id: 1 } })
          .limit(SWEPT_AT_ONCE)
          .toArray(),
      )
      if (old.length === 0) break
      const ids = old.map(({ _id }) => _id)
      const { deletedCount } = await this.#collections.withTimeout(
        this.#entries.deleteMany({ _id: { $in: ids }, expiresAt: { $lt: expiredBefore } }),
      )
      swept += deletedCount
      if (old.length < SWEPT_AT_ONCE) break
    }
    return swept
  }

  get #entries() {
    return this.#collections.index(this.#name)
  }
}

/** What comes after a place in a list. */
function below({ first, id }: IndexPlace) {
  const at = BigInt(first)
  return { $or: [{ first: { $lt: at } }, { first: at, _id: { $lt: id } }] }
}

function entryOf({ _id, keys, position, first, expiresAt }: IndexDocument): IndexEntry {
  return { id: _id, keys, position: Number(position), first: Number(first), ...(expiresAt !== NEVER && { expiresAt }) }
}
