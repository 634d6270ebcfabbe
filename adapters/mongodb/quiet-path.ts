import { type AnyClientBulkWriteModel, type Document, Long } from 'mongodb'
import type { Collections } from './collections.ts'
import type { EventsDocument } from './documents.ts'
import { failureOf } from './failure.ts'
import { counterMoved } from './outcome.ts'

/** Above this share of "the counter moved under me" the quiet path costs more than it saves. */
const LIMIT = 0.45

/**
 * One round trip instead of two, while nothing else of this process is in flight: one ordered command moves the counter
 * from the position that this process believes to be the last, and inserts right behind. If the counter has moved, the
 * command stops there. A moving average of how often that happens decides whether to try.
 */
export class QuietPath {
  readonly #collections: Collections
  #moved = 0

  constructor(collections: Collections) {
    this.#collections = collections
  }

  get isWorthIt(): boolean {
    return this.#moved < LIMIT
  }

  /** Sends documents that were placed right behind `last`. Tells whether the counter had moved, and what was thrown. */
  async send(documents: readonly EventsDocument[], last: number): Promise<{ moved: boolean; error: unknown }> {
    const { client } = this.#collections
    const statements = this.#statements(documents, last)
    const error = await failureOf(
      client.bulkWrite(statements, {
        ordered: true,
        writeConcern: { w: 'majority', journal: true },
        ignoreUndefined: false,
      }),
    )
    const moved = counterMoved(error)
    this.#moved += ((moved ? 1 : 0) - this.#moved) / 8
    return { moved, error }
  }

  /**
   * The counter's statement is an `updateMany` so that the driver never repeats the command by itself: on a server that
   * does not remember retried writes, the repetition of a command whose answer was lost meets its own counter, says that
   * it has moved, and the commits would be written a second time.
   */
  #statements(documents: readonly EventsDocument[], last: number): AnyClientBulkWriteModel<Document>[] {
    const counter: Document = { _id: 'events', n: Long.fromNumber(last) }
    return [
      {
        name: 'updateMany',
        namespace: this.#collections.namespace('counters'),
        filter: counter,
        update: { $set: { n: Long.fromNumber(last + documents.length) } },
        upsert: true,
      },
      ...documents.map((document) => ({
        name: 'insertOne' as const,
        namespace: this.#collections.namespace('events'),
        document: document as Document,
      })),
    ]
  }
}
