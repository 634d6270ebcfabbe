import type { AnyBulkWriteOperation, Collection, Document, Filter, FindOptions, UpdateFilter, WithId } from 'mongodb'
import type { Collections } from './collections.ts'
import { assertWritten, WriteError, writeErrorsOf } from './outcome.ts'
import { DOCUMENTS_AT_ONCE, WRITE_CONCERN } from './settings.ts'

/** So many writes go with one command. */
const WRITES_AT_ONCE = 500

/** What an update did. */
export interface Updated {
  readonly matchedCount: number
  readonly modifiedCount: number
}

/** What to change: operators, or a pipeline. */
type Change<T> = UpdateFilter<T> | Document[]

/**
 * A collection of documents that are changed in place, with the driver's names for what it does, and with a time limit
 * for each command, as `Collections` has it. Reads are repeated over another connection; whether a write may be, only
 * its caller knows. Uses nothing beyond version 1 of the Stable API.
 */
export class Table<T extends Document> {
  readonly #collections: Collections
  readonly #name: string

  constructor(collections: Collections, name: string) {
    this.#collections = collections
    this.#name = name
  }

  find(filter: Filter<T>, options: FindOptions = {}): Query<T> {
    return new Query(this.#collections, this.#collection, filter, { batchSize: DOCUMENTS_AT_ONCE, ...options })
  }

  async findOne(filter: Filter<T>, options: FindOptions = {}): Promise<WithId<T> | null> {
    const [first] = await this.find(filter, { ...options, limit: 1 }).toArray()
    return first ?? null
  }

  /** The document as it then is, or as it was. */
  async findOneAndUpdate(
    filter: Filter<T>,
    update: Change<T>,
    options: { readonly upsert?: boolean; readonly returnDocument?: 'after'; readonly projection?: Document } = {},
  ): Promise<WithId<T> | null> {
    const { upsert = false, returnDocument, projection } = options
    const change = { query: filter, update, upsert, new: returnDocument === 'after', writeConcern: WRITE_CONCERN }
    const { value } = await this.#run({
      findAndModify: this.#name,
      ...change,
      ...(projection && { fields: projection }),
    })
    return (value ?? null) as WithId<T> | null
  }

  updateOne(filter: Filter<T>, update: Change<T>, options: { readonly upsert?: boolean } = {}): Promise<Updated> {
    return this.#update({ q: filter, u: update, ...options })
  }

  updateMany(filter: Filter<T>, update: Change<T>): Promise<Updated> {
    return this.#update({ q: filter, u: update, multi: true })
  }

  async deleteMany(filter: Filter<T>): Promise<{ readonly deletedCount: number }> {
    const deletes = [{ q: filter, limit: 0 }]
    const reply = await this.#run({ delete: this.#name, deletes, writeConcern: WRITE_CONCERN })
    assertWritten(reply)
    return { deletedCount: Number(reply['n']) }
  }

  /** Many writes, in no order; each is tried, whatever becomes of the others. @throws WriteError */
  /** @returns how many updates have found their document, or made it */
  async bulkWrite(
    writes: readonly AnyBulkWriteOperation<T>[],
    _options: { readonly ordered: false },
  ): Promise<{ readonly updated: number }> {
    const errors: Document[] = []
    let updated = 0
    for (let at = 0; at < writes.length; at += WRITES_AT_ONCE) {
      for (const command of commandsOf(this.#name, writes.slice(at, at + WRITES_AT_ONCE))) {
        const reply = await this.#run({ ...command, ordered: false, writeConcern: WRITE_CONCERN })
        if (writeErrorsOf(reply).length === 0) assertWritten(reply)
        errors.push(...writeErrorsOf(reply))
        if (command['update'] !== undefined) updated += Number(reply['n'])
      }
    }
    if (errors.length > 0) throw new WriteError({ writeErrors: errors })
    return { updated }
  }

  /** The different values of a field. */
  async distinct<K extends string & keyof T>(field: K, filter: Filter<T>): Promise<T[K][]> {
    const groups = await this.aggregate([{ $match: filter }, { $group: { _id: `$${field}` } }]).toArray()
    return groups.map(({ _id }) => _id as T[K])
  }

  async countDocuments(filter: Filter<T>): Promise<number> {
    const count = [{ $match: filter }, { $group: { _id: null, n: { $sum: 1 } } }]
    const [group] = await this.aggregate(count).toArray()
    return Number(group?.['n'] ?? 0)
  }

  aggregate<R extends Document>(pipeline: Document[]): { toArray(): Promise<R[]> } {
    const options = { batchSize: DOCUMENTS_AT_ONCE }
    return {
      toArray: () =>
        this.#collections.withTimeout((signal) =>
          this.#collection.aggregate<R>(pipeline, { ...options, signal }).toArray(),
        ),
    }
  }

  async #update(update: Document): Promise<Updated> {
    const reply = await this.#run({ update: this.#name, updates: [update], writeConcern: WRITE_CONCERN })
    assertWritten(reply)
    return { matchedCount: Number(reply['n']), modifiedCount: Number(reply['nModified']) }
  }

  #run(body: Document): Promise<Document> {
    return this.#collections.attempt((signal) => this.#collections.command(body, { signal }))
  }

  get #collection(): Collection<T> {
    return this.#collections.collection<T>(this.#name)
  }
}

/** A query that is asked when its documents are wanted. */
export class Query<T extends Document> {
  readonly #collections: Collections
  readonly #collection: Collection<T>
  readonly #filter: Filter<T>
  readonly #options: FindOptions

  constructor(collections: Collections, collection: Collection<T>, filter: Filter<T>, options: FindOptions) {
    this.#collections = collections
    this.#collection = collection
    this.#filter = filter
    this.#options = options
  }

  sort(sort: Record<string, 1 | -1>): Query<T> {
    return new Query(this.#collections, this.#collection, this.#filter, { ...this.#options, sort })
  }

  /** All in the first answer, as far as the server lets it be that large: what comes later is asked for without a signal. */
  limit(limit: number): Query<T> {
    const options = { ...this.#options, limit, batchSize: limit + 1 }
    return new Query(this.#collections, this.#collection, this.#filter, options)
  }

  toArray(): Promise<WithId<T>[]> {
    const options = this.#options
    return this.#collections.withTimeout((signal) =>
      this.#collection.find(this.#filter, { ...options, signal }).toArray(),
    )
  }
}

/** One command of the server's for each kind of write. */
function commandsOf<T extends Document>(name: string, writes: readonly AnyBulkWriteOperation<T>[]): Document[] {
  const documents: Document[] = []
  const updates: Document[] = []
  const deletes: Document[] = []
  for (const write of writes) {
    if ('insertOne' in write) documents.push(write.insertOne.document)
    else if ('updateOne' in write) {
      const { filter, update, upsert = false } = write.updateOne
      updates.push({ q: filter, u: update, upsert })
    } else if ('deleteOne' in write) deletes.push({ q: write.deleteOne.filter, limit: 1 })
    else throw new TypeError('a write of a kind that this table does not know')
  }
  return [
    ...(documents.length > 0 ? [{ insert: name, documents }] : []),
    ...(updates.length > 0 ? [{ update: name, updates }] : []),
    ...(deletes.length > 0 ? [{ delete: name, deletes }] : []),
  ]
}
