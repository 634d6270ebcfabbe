import type { Document } from 'mongodb'
import type { LivenessTable, Living, Sign } from '../../lib/log/liveness-table.ts'
import type { Collections } from './collections.ts'
import { isDuplicate } from './outcome.ts'

/** The only document: what is shown by one is read by all, with the same command. */
const LIVING = 'living'

/**
 * Signs of life on MongoDB: one document with a field for each holder. It is as large as there are holders that live, or
 * died some seconds ago.
 */
export class MongoLiveness implements LivenessTable {
  readonly #collections: Collections

  constructor(collections: Collections) {
    this.#collections = collections
  }

  /** Makes the document, so that no two processes make it at once. */
  static async prepare(collections: Collections): Promise<void> {
    const empty = { count: 0, beats: {}, notices: 0 }
    await collections.liveness.updateOne({ _id: LIVING }, { $setOnInsert: empty }, { upsert: true }).catch((error) => {
      if (!isDuplicate(error)) throw error // another process was faster
    })
  }

  async beat(holders: readonly string[]): Promise<Living> {
    const document = await this.#collections.withTimeout(
      holders.length === 0
        ? this.#collections.liveness.findOne({ _id: LIVING })
        : this.#collections.liveness.findOneAndUpdate({ _id: LIVING }, raised(holders), {
            upsert: true,
            returnDocument: 'after',
          }),
    )
    const signs = Object.entries(document?.beats ?? {}).map(([field, beat]) => ({ holder: holderOf(field), beat }))
    return { signs, notices: document?.notices ?? 0 }
  }

  async forget({ holder, beat }: Sign): Promise<boolean> {
    const field = `beats.${fieldOf(holder)}`
    const { modifiedCount } = await this.#collections.withTimeout(
      this.#collections.liveness.updateOne({ _id: LIVING, [field]: beat } as Document, { $unset: { [field]: '' } }),
    )
    return modifiedCount === 1
  }

  async notify(): Promise<void> {
    await this.#collections.withTimeout(
      this.#collections.liveness.updateOne({ _id: LIVING }, { $inc: { notices: 1 } }, { upsert: true }),
    )
  }
}

/** One count for all: a holder that was forgotten and comes back never shows a beat that it showed before. */
function raised(holders: readonly string[]): Document[] {
  return [
    { $set: { count: { $add: [{ $ifNull: ['$count', 0] }, 1] } } },
    { $set: Object.fromEntries(holders.map((holder) => [`beats.${fieldOf(holder)}`, '$count'])) },
  ]
}

/** A holder's name as the name of a field, which knows neither dots nor dollars. */
function fieldOf(holder: string): string {
  return encodeURIComponent(holder).replaceAll('.', '%2E')
}

function holderOf(field: string): string {
  return decodeURIComponent(field)
}
