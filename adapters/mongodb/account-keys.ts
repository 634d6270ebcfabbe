import type { AnyBulkWriteOperation, Filter } from 'mongodb'
import { StoreUnavailableError } from '../../lib/errors.ts'
import {
  type AccountKeyRecord,
  type AccountKeyTable,
  isAsWanted,
  type NewAccountKey,
} from '../../lib/log/account-key-table.ts'
import type { Collections } from './collections.ts'
import type { AccountKeyDocument } from './documents.ts'
import { firstBatch } from './first-batch.ts'
import { indexOn, type LogIndex } from './make-indexes.ts'
import { onlyDuplicates } from './work-queries.ts'

/** Others may make, retire and remove the same key meanwhile; so often it is looked again. */
const MOST_TRIES = 8

/** So many keys of one account are retired with one command; it has more only where many processes made one at once. */
const MOST_AT_ONCE = 100

/** The keys of accounts on MongoDB: a document for each. */
export class MongoAccountKeys implements AccountKeyTable {
  readonly #collections: Collections

  constructor(collections: Collections) {
    this.#collections = collections
  }

  /** The indexes that the queries below use. */
  static readonly indexes: readonly LogIndex[] = [
    indexOn({ names: 1, _id: 1 }),
    indexOn({ formerNames: 1 }),
    indexOn({ usedAt: 1, _id: 1 }),
  ]

  find(ids: readonly string[]): Promise<AccountKeyRecord[]> {
    return this.#all({ _id: { $in: [...ids] } })
  }

  named(names: readonly string[]): Promise<AccountKeyRecord[]> {
    const any = { $in: [...names] }
    return this.#all({ $or: [{ names: any }, { formerNames: any }] })
  }

  async obtain(names: readonly string[], make: NewAccountKey): Promise<AccountKeyRecord> {
    const { id, sealed, account, usedAt } = make
    for (let tries = 1; tries <= MOST_TRIES; tries++) {
      const found = await this.#foundBy(names)
      if (!found) {
        const insert = { insertOne: { document: { _id: id, names: [...names], sealed, account, usedAt } } }
        await this.#collections.withTimeout(() => this.#inserted(insert))
        continue // another process may have made one at the same moment: all take the first of them
      }
      if (isAsWanted(recordOf(found), names, make)) return recordOf(found)
      await this.#collections.withTimeout(() =>
        this.#keys.updateOne(
          { _id: found._id, names: { $in: [...names] } },
          { $addToSet: { names: { $each: [...names] } }, $max: { usedAt } },
        ),
      )
    }
    throw new StoreUnavailableError('the key of an account is changed all the time by others: try again')
  }

  async retire(names: readonly string[]): Promise<AccountKeyRecord[]> {
    for (let tries = 1; tries <= MOST_TRIES; tries++) {
      const found = await this.#collections.withTimeout(
        this.#keys
          .find({ names: { $in: [...names] } })
          .limit(MOST_AT_ONCE)
          .toArray(),
      )
      if (found.length === 0) return this.#all({ formerNames: { $in: [...names] } })
      const writes = found.map(
        ({ _id, names: formerNames }): AnyBulkWriteOperation<AccountKeyDocument> => ({
          updateOne: { filter: { _id, names: formerNames }, update: { $set: { formerNames, names: [] } } },
        }),
      )
      await this.#collections.withTimeout(() => this.#keys.bulkWrite(writes, { ordered: false }))
    }
    throw new StoreUnavailableError('the key of an account is changed all the time by others: try again')
  }

  async destroy(ids: readonly string[], at: number): Promise<void> {
    await this.#collections.withTimeout(() =>
      this.#keys.updateMany(
        { _id: { $in: [...ids] }, $or: [{ destroyedAt: { $exists: false } }, { sealed: { $exists: true } }] },
        { $set: { destroyedAt: at, usedAt: at, names: [] }, $unset: { sealed: 1, account: 1 } },
      ),
    )
  }

  async list({ after, limit }: { readonly after?: string; readonly limit: number }): Promise<AccountKeyRecord[]> {
    const found = await this.#collections.withTimeout(
      this.#keys
        .find(after === undefined ? {} : { _id: { $gt: after } })
        .sort({ _id: 1 })
        .limit(limit)
        .toArray(),
    )
    return found.map(recordOf)
  }

  async reseal(
    { id, sealed: before, names: found }: AccountKeyRecord,
    { sealed, names }: { readonly sealed: string; readonly names: readonly string[] },
  ): Promise<boolean> {
    if (before === undefined) return false
    const same = { _id: id, sealed: before, names: [...found] }
    const now = found.length > 0 ? { names: [...names] } : { formerNames: [...names] }
    const { matchedCount } = await this.#collections.withTimeout(() =>
      this.#keys.updateOne(same, { $set: { sealed, ...now } }),
    )
    return matchedCount > 0
  }

  async unused({ before, limit }: { readonly before: number; readonly limit: number }): Promise<AccountKeyRecord[]> {
    const found = await this.#collections.withTimeout(
      this.#keys
        .find({ usedAt: { $lt: before } })
        .sort({ usedAt: 1, _id: 1 })
        .limit(limit)
        .toArray(),
    )
    return found.map(recordOf)
  }

  async touch(ids: readonly string[], at: number): Promise<void> {
    if (ids.length === 0) return
    await this.#collections.withTimeout(() =>
      this.#keys.updateMany({ _id: { $in: [...ids] } }, { $max: { usedAt: at } }),
    )
  }

  async remove(ids: readonly string[], before: number): Promise<number> {
    if (ids.length === 0) return 0
    const old: Filter<AccountKeyDocument> = { _id: { $in: [...ids] }, usedAt: { $lt: before } }
    const { deletedCount } = await this.#collections.withTimeout(() => this.#keys.deleteMany(old))
    return deletedCount
  }

  async #all(filter: Filter<AccountKeyDocument>): Promise<AccountKeyRecord[]> {
    return (await this.#collections.withTimeout(this.#keys.find(filter).toArray())).map(recordOf)
  }

  /** At majority: what is sealed with a key that a fail-over takes back nobody would ever open. */
  async #foundBy(names: readonly string[]): Promise<AccountKeyDocument | undefined> {
    const query = {
      collection: 'account_keys',
      filter: { names: { $in: [...names] } },
      sort: { _id: 1 },
      limit: 1,
      level: 'majority',
    } as const
    const { documents } = await this.#collections.withTimeout((signal) =>
      firstBatch<AccountKeyDocument>(this.#collections, query, signal),
    )
    return documents[0]
  }

  /** Where the first answer was lost it is there already. */
  async #inserted(insert: AnyBulkWriteOperation<AccountKeyDocument>): Promise<void> {
    try {
      await this.#keys.bulkWrite([insert], { ordered: false })
    } catch (error) {
      if (!onlyDuplicates(error)) throw error
    }
  }

  get #keys() {
    return this.#collections.accountKeys
  }
}

/** Rows have no proof: somebody else may have written anything there. What is no text opens nothing. */
function recordOf(row: AccountKeyDocument): AccountKeyRecord {
  const { _id: id, names, formerNames, sealed, account, destroyedAt, usedAt } = row
  return {
    id,
    names: textsIn(names),
    ...(formerNames !== undefined && { formerNames: textsIn(formerNames) }),
    ...(sealed !== undefined && { sealed: textOf(sealed) }),
    ...(account !== undefined && { account: textOf(account) }),
    ...(destroyedAt !== undefined && { destroyedAt: Number(destroyedAt) }),
    usedAt: Number.isFinite(usedAt) ? usedAt : Number.MAX_SAFE_INTEGER,
  }
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
