import type { Document } from 'mongodb'
import type { Collections } from './collections.ts'
import type { EventsDocument } from './documents.ts'
import { type Answer, answerOf, counterMoved } from './outcome.ts'
import { WRITE_CONCERN } from './settings.ts'

/** Above this share of "the counter moved under me" the fast path costs more than it saves. */
const LIMIT = 0.45

/**
 * One round trip instead of two, while nothing else of this process is in flight: one ordered command moves the counter
 * from the position that this process believes to be the last, and inserts right behind. If the counter has moved, the
 * command stops there. A moving average of how often that happens decides whether to try.
 */
export class FastPath {
  readonly #collections: Collections
  #moved = 0

  constructor(collections: Collections) {
    this.#collections = collections
  }

  get isWorthIt(): boolean {
    return this.#moved < LIMIT
  }

  /** Sends documents that were placed right behind `last`. Tells whether the counter had moved. */
  async send(documents: readonly EventsDocument[], last: number): Promise<{ moved: boolean; answer: Answer }> {
    const body = fastPathCommand(
      [this.#collections.namespace('counters'), this.#collections.namespace('events')],
      { filter: { _id: 'events', n: BigInt(last) }, set: { n: BigInt(last + documents.length) } },
      documents,
    )
    const answer = await answerOf(
      this.#collections.attempt((signal) => this.#collections.adminCommand(body, { signal })),
    )
    const moved = counterMoved(answer)
    this.#moved += ((moved ? 1 : 0) - this.#moved) / 8
    return { moved, answer }
  }
}

/**
 * The ordered command: a counter's update first, then inserts. The driver never repeats it by itself, since it goes
 * through `db.command`: on a server that does not remember retried writes, the repetition of a command whose answer was
 * lost meets its own counter, says that it has moved, and the commits would be written a second time.
 */
export function fastPathCommand(
  [counters, events]: readonly [counters: string, events: string],
  counter: { readonly filter: Document; readonly set: Document },
  documents: readonly object[],
): Document {
  return {
    bulkWrite: 1,
    ops: [
      { update: 0, filter: counter.filter, updateMods: { $set: counter.set }, multi: false, upsert: true },
      ...documents.map((document) => ({ insert: 1, document })),
    ],
    nsInfo: [{ ns: counters }, { ns: events }],
    ordered: true,
    errorsOnly: true,
    writeConcern: WRITE_CONCERN,
  }
}
