import type { JsonObject } from '../../lib/log/commit.ts'
import type { Removal, RetentionState, RetentionTable } from '../../lib/log/retention-table.ts'
import type { Collections } from './collections.ts'
import type { RetentionDocument } from './documents.ts'
import { assertWritten, isDuplicate } from './outcome.ts'
import type { ServerTime } from './server-time.ts'
import { WRITE_CONCERN } from './settings.ts'
import { floorOf } from './settled.ts'

const ID = 'retention'

/** Retention on MongoDB. */
export class MongoRetention implements RetentionTable {
  readonly #collections: Collections
  readonly #serverTime: ServerTime

  constructor(collections: Collections, serverTime: ServerTime) {
    this.#collections = collections
    this.#serverTime = serverTime
  }

  time(): Promise<number> {
    return this.#serverTime.now()
  }

  floor(): Promise<number> {
    return this.#collections.withTimeout(() => floorOf(this.#collections))
  }

  /** One statement for each, in order: the server stops at the first that fails, and a crash keeps what came before. */
  async remove({ positions, tombstones }: Removal): Promise<void> {
    const last = positions.at(-1)
    if (last === undefined) return
    const floor = { q: { _id: 'events' }, u: { $max: { floor: BigInt(last) } } }
    await this.#collections.withTimeout((signal) => this.#collections.update('counters', floor, signal))
    const deletes = positions.map((position) => ({ q: { _id: BigInt(position) }, limit: 1 }))
    const closed = tombstones && {
      q: { _id: { $gte: BigInt(tombstones.from), $lte: BigInt(tombstones.to) }, e: { $size: 0 } },
      limit: 0,
    }
    const body = {
      delete: this.#collections.name('events'),
      deletes: closed ? [...deletes, closed] : deletes,
      ordered: true,
      writeConcern: WRITE_CONCERN,
    }
    await this.#collections.withTimeout(async (signal) =>
      assertWritten(await this.#collections.command(body, { signal })),
    )
  }

  async state(): Promise<RetentionState | undefined> {
    const found = await this.#collections.withTimeout((signal) =>
      this.#collections.retention.findOne({ _id: ID }, { signal }),
    )
    return found ? { revision: found.revision, state: found.state as JsonObject } : undefined
  }

  async save(revision: number, state: JsonObject): Promise<boolean> {
    const change = {
      query: { _id: ID, revision: revision === 0 ? { $exists: false } : revision },
      update: { $set: { revision: revision + 1, state } },
      upsert: revision === 0,
    }
    try {
      const found = await this.#collections.withTimeout((signal) =>
        this.#collections.findAndUpdate<RetentionDocument>('counters', change, signal),
      )
      return found !== null
    } catch (error) {
      if (isDuplicate(error) || isDuplicate((error as Error).cause)) return false
      throw error
    }
  }
}
