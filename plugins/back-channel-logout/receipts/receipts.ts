import type { EventStore } from '../../../lib/index.ts'
import { assertKnown, assertReading, assertText, type ReadingOptions } from '../recording/criteria.ts'
import { readLogout } from '../recording/histories.ts'
import { assertHistory, type HistoryCriteria, type HistoryParts, historyOf } from './history.ts'
import { assertReceiptsOf, receiptsOfTermination } from './of-termination.ts'
import { plannedUpTo } from './planned.ts'
import { type Receipt, type ReceiptView, receiptOf } from './receipt.ts'
import { type WatchParts, watchReceipt } from './watch.ts'

/** What became of the session ends of an issuer, read from the log. */
export class Receipts {
  readonly #parts: HistoryParts & WatchParts

  constructor(parts: HistoryParts & WatchParts) {
    this.#parts = parts
  }

  async of(sessionUid: string): Promise<Receipt> {
    assertText('sessionUid', sessionUid)
    const planned = await plannedUpTo(this.#store)
    return receiptOf(await readLogout(this.#store, sessionUid), { planned, ...this.#view })
  }

  history(criteria: HistoryCriteria, options: ReadingOptions): AsyncIterable<Receipt> {
    assertHistory(criteria, options)
    return historyOf(this.#parts, criteria, options)
  }

  ofTermination(id: string, options: Pick<ReadingOptions, 'limit' | 'signal'>): AsyncIterable<Receipt> {
    assertReceiptsOf(id, options)
    return receiptsOfTermination(this.#parts, id, options)
  }

  watch(sessionUid: string, options: Pick<ReadingOptions, 'signal'>): AsyncIterable<Receipt> {
    assertText('sessionUid', sessionUid)
    assertKnown(options, ['signal'])
    assertReading(options)
    return watchReceipt(this.#parts, sessionUid, this.#view, options.signal)
  }

  get #view(): Pick<ReceiptView, 'waiting'> {
    const { waiting } = this.#parts
    return waiting ? { waiting } : {}
  }

  get #store(): EventStore {
    return this.#parts.store
  }
}
