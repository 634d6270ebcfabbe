import { CheckpointAheadError } from '../../lib/errors.ts'
import { type ConsumerRecord, type ConsumerTable, firstToken } from '../../lib/log/consumer-table.ts'
import type { Collections } from './collections.ts'
import type { ConsumerDocument } from './documents.ts'
import { isDuplicate } from './outcome.ts'

/** What the table needs to know of the log. */
export interface LogEnd {
  /** A position that this process has seen: the log does not end before it. */
  readonly seen: number
  /** Where the log ends. */
  end(): Promise<number>
}

/** Consumers on MongoDB: every write filters on the token, so that doing it twice does no harm. */
export class MongoConsumers implements ConsumerTable {
  readonly #collections: Collections
  readonly #log: LogEnd

  constructor(collections: Collections, log: LogEnd) {
    this.#collections = collections
    this.#log = log
  }

  async ensure(name: string, position: number): Promise<ConsumerRecord> {
    const known = await this.get(name)
    await this.#assertNotAhead(name, known?.position ?? position)
    if (known) return known
    const fresh = { token: firstToken(), beat: 0, position: BigInt(position) }
    await this.#collections.withTimeout((signal) =>
      this.#collections
        .update('consumers', { q: { _id: name }, u: { $setOnInsert: fresh }, upsert: true }, signal)
        .catch((error: unknown) => {
          if (!isDuplicate(error)) throw error // another process was faster
        }),
    )
    const record = await this.get(name)
    return record ?? { name, token: fresh.token, beat: 0, position }
  }

  async list(): Promise<ConsumerRecord[]> {
    const documents = await this.#collections.withTimeout((signal) =>
      this.#collections.consumers.find({}, { signal }).sort({ _id: 1 }).toArray(),
    )
    return documents.map(recordOf)
  }

  async get(name: string): Promise<ConsumerRecord | undefined> {
    const document = await this.#collections.withTimeout((signal) =>
      this.#collections.consumers.findOne({ _id: name }, { signal }),
    )
    return document ? recordOf(document) : undefined
  }

  async take(
    { name, token, beat, holder: former, position }: ConsumerRecord,
    holder: string,
  ): Promise<ConsumerRecord | undefined> {
    await this.#assertNotAhead(name, position)
    const change = {
      query: { _id: name, token, beat, holder: former ?? { $exists: false } },
      update: { $set: { holder }, $inc: { token: 1, beat: 1 } },
    }
    const document = await this.#collections.withTimeout((signal) =>
      this.#collections.findAndUpdate<ConsumerDocument>('consumers', change, signal),
    )
    return document ? recordOf(document) : undefined
  }

  async checkpoint(name: string, token: number, position: number): Promise<boolean> {
    if (position > this.#log.seen) {
      const found = await this.get(name)
      if (found?.token !== token || found.holder === undefined) return false
      await this.#assertNotAhead(name, position)
    }
    return this.#update(name, token, { $inc: { beat: 1 }, $max: { position: BigInt(position) } })
  }

  async release(name: string, token: number): Promise<void> {
    await this.#update(name, token, { $inc: { beat: 1 }, $unset: { holder: '' } })
  }

  /** What was removed, and was not told in time, is gone. */
  async remove({ name, token, beat, holder }: ConsumerRecord): Promise<boolean> {
    const q = { _id: name, token, beat, holder: holder ?? { $exists: false } }
    const removed = await this.#collections.withTimeout((signal) => this.#collections.deleteOne('consumers', q, signal))
    return removed === 1 || (await this.get(name)) === undefined
  }

  /** False: the lease was lost. */
  async #update(name: string, token: number, u: object): Promise<boolean> {
    const q = { _id: name, token, holder: { $exists: true } }
    const found = await this.#collections.withTimeout((signal) =>
      this.#collections.update('consumers', { q, u }, signal),
    )
    return found === 1
  }

  async #assertNotAhead(name: string, position: number): Promise<void> {
    if (position <= this.#log.seen) return
    const end = await this.#log.end()
    if (position > end) throw new CheckpointAheadError(name, position, end)
  }
}

function recordOf({ _id, holder, token, beat, position }: ConsumerDocument): ConsumerRecord {
  return { name: _id, ...(holder !== undefined && { holder }), token, beat, position: Number(position) }
}
