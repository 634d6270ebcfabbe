import type { EventStore } from '../../../lib/index.ts'
import { assertKnown, assertReading, assertText, type ReadingOptions } from '../recording/criteria.ts'
import { readLogout } from '../recording/histories.ts'
import { assertHistory, type HistoryCriteria, type HistoryParts, historyOf } from './history.ts'
import { type Receipt, receiptOf } from './receipt.ts'
import { watchReceipt } from './watch.ts'

/** What became of the session ends of an issuer, read from the log. */
export class Receipts {
  readonly #parts: HistoryParts

  constructor(parts: HistoryParts) {
    this.#parts = parts
  }

  async of(sessionUid: string): Promise<Receipt> {
    assertText('sessionUid', sessionUid)
    return receiptOf(await readLogout(this.#store, sessionUid), this.#parts.waiting)
  }

  history(criteria: HistoryCriteria, options: ReadingOptions): AsyncIterable<Receipt> {
    assertHistory(criteria, options)
    return historyOf(this.#parts, criteria, options)
  }

  watch(sessionUid: string, options: Pick<ReadingOptions, 'signal'>): AsyncIterable<Receipt> {
    assertText('sessionUid', sessionUid)
    assertKnown(options, ['signal'])
    assertReading(options)
    return watchReceipt(this.#store, sessionUid, (logout) => receiptOf(logout, this.#parts.waiting), options.signal)
  }

  get #store(): EventStore {
    return this.#parts.store
  }
}
