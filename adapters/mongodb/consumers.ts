import { Long } from 'mongodb'
import type { ConsumerRecord, ConsumerTable } from '../../lib/log/consumer-table.ts'
import type { Collections } from './collections.ts'
import type { ConsumerDocument } from './documents.ts'
import { isDuplicate } from './outcome.ts'

/** Consumers on MongoDB: every write filters on the token. */
export class MongoConsumers implements ConsumerTable {
  readonly #collections: Collections

  constructor(collections: Collections) {
    this.#collections = collections
  }

  async ensure(name: string, position: number): Promise<ConsumerRecord> {
    const fresh = { token: 0, beat: 0, position: Long.fromNumber(position) }
    await this.#collections.reach(
      this.#consumers.updateOne({ _id: name }, { $setOnInsert: fresh }, { upsert: true }).catch((error) => {
        if (!isDuplicate(error)) throw error // another process was faster
      }),
    )
    const record = await this.get(name)
    return record ?? { name, token: 0, beat: 0, position }
  }

  async list(): Promise<ConsumerRecord[]> {
    const documents = await this.#collections.reach(this.#consumers.find().sort({ _id: 1 }).toArray())
    return documents.map(recordOf)
  }

  async get(name: string): Promise<ConsumerRecord | undefined> {
    const document = await this.#collections.reach(this.#consumers.findOne({ _id: name }))
    return document ? recordOf(document) : undefined
  }

  async take(
    { name, token, beat, holder: former }: ConsumerRecord,
    holder: string,
  ): Promise<ConsumerRecord | undefined> {
    const document = await this.#collections.reach(
      this.#consumers.findOneAndUpdate(
        { _id: name, token, beat, holder: former ?? { $exists: false } },
        { $set: { holder }, $inc: { token: 1, beat: 1 } },
        { returnDocument: 'after' },
      ),
    )
    return document ? recordOf(document) : undefined
  }

  async checkpoint(name: string, token: number, position: number): Promise<boolean> {
    const { matchedCount } = await this.#collections.reach(
      this.#consumers.updateOne(held(name, token), {
        $inc: { beat: 1 },
        $max: { position: Long.fromNumber(position) },
      }),
    )
    return matchedCount === 1
  }

  async release(name: string, token: number): Promise<void> {
    await this.#collections.reach(
      this.#consumers.updateOne(held(name, token), { $inc: { beat: 1 }, $unset: { holder: '' } }),
    )
  }

  get #consumers() {
    return this.#collections.consumers
  }
}

function held(name: string, token: number) {
  return { _id: name, token, holder: { $exists: true } }
}

function recordOf({ _id, holder, token, beat, position }: ConsumerDocument): ConsumerRecord {
  return { name: _id, ...(holder !== undefined && { holder }), token, beat, position: Number(position) }
}
