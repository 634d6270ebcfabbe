import { OutcomeUnknownError, StoreClosedError, StoreRefusedError } from '../../lib/errors.ts'
import type { Entry, Journal } from './journal.ts'
import type { Change } from './turns.ts'

/** No further change joins a batch that writes so many entries, */
const BATCH_ENTRIES = 1_000
/** or so many bytes: with the last commit of the batch these are at most twice as many. */
const BATCH_BYTES = 8 * 1024 * 1024

interface QueuedChange {
  /** How much it writes, as far as that is known. */
  readonly bytes: number
  decide(write: (entry: Entry) => void): void
  settle(failure?: Error): void
}

/** Changes whose outcome is known. */
interface Settled {
  readonly changes: readonly QueuedChange[]
  readonly failure?: Error
}

/**
 * Changes of a store's state, one after the other. While a batch of them is made durable the next ones gather; when it
 * is, they are decided, in order, against everything decided before, and go as one batch, as many as its limits allow.
 *
 * A journal that failed once has an unknown end: from then on everything is refused.
 */
export class WriteQueue {
  readonly #journal: Journal
  readonly #afterBatch: (durable: boolean) => void
  readonly #queue: QueuedChange[] = []
  #running: Promise<void> | undefined
  #failure: StoreRefusedError | undefined
  #closing: Promise<void> | undefined

  /** @param afterBatch - called before anybody is answered */
  constructor(journal: Journal, afterBatch: (durable: boolean) => void) {
    this.#journal = journal
    this.#afterBatch = afterBatch
  }

  /** Why nothing is accepted any more, if that is so. */
  get failure(): StoreRefusedError | undefined {
    return this.#failure
  }

  get closing(): boolean {
    return this.#closing !== undefined
  }

  /** @throws StoreClosedError (`STORE_CLOSED`), StoreRefusedError (`STORE_REFUSED`) */
  assertOpen(): void {
    if (this.closing) throw new StoreClosedError()
    if (this.#failure) throw this.#failure
  }

  readonly change: Change = (change) => this.add(change, 0)

  /** @param bytes - how much the change writes, as far as that is known */
  add<T>(change: (write: (entry: Entry) => void) => T, bytes: number): Promise<T> {
    if (this.closing) return Promise.reject(new StoreClosedError())
    return new Promise((resolve, reject) => {
      let answer: () => void
      this.#queue.push({
        bytes,
        decide: (write) => {
          try {
            const result = change(write)
            answer = () => resolve(result)
          } catch (error) {
            answer = () => reject(error)
          }
        },
        settle: (failure) => (failure ? reject(failure) : answer()),
      })
      this.#running ??= this.#drain()
    })
  }

  /** Waits for what was added, then closes the journal. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#finish()
    return this.#closing
  }

  async #finish(): Promise<void> {
    await this.#running
    this.#afterBatch(false)
    await this.#journal.close()
  }

  async #drain(): Promise<void> {
    await undefined // lets the rest of this tick join the first batch
    while (this.#queue.length > 0) {
      const { changes, failure } = this.#failure ? this.#refuseAll(this.#failure) : await this.#writeBatch()
      for (const change of changes) change.settle(failure)
    }
    this.#running = undefined // here, not in a `then`: whoever was answered may queue the next change before that runs
  }

  #refuseAll(failure: StoreRefusedError): Settled {
    return { changes: this.#queue.splice(0), failure }
  }

  async #writeBatch(): Promise<Settled> {
    const { changes, entries } = this.#decideBatch()
    try {
      if (entries.length > 0) await this.#journal.write(entries)
      this.#afterBatch(true)
      return { changes }
    } catch (cause) {
      const why = `the journal could not be written: ${cause instanceof Error ? cause.message : cause}`
      this.#failure = new StoreRefusedError(
        `${why}. Nothing more is accepted: see to the disk, then open the store again`,
        { cause },
      )
      this.#afterBatch(false)
      return { changes, failure: new OutcomeUnknownError(why, { cause }) }
    }
  }

  #decideBatch(): { changes: readonly QueuedChange[]; entries: readonly Entry[] } {
    const entries: Entry[] = []
    let [count, bytes] = [0, 0]
    for (const change of this.#queue) {
      change.decide((entry) => entries.push(entry))
      count += 1
      bytes += change.bytes
      if (entries.length >= BATCH_ENTRIES || bytes >= BATCH_BYTES) break
    }
    return { changes: this.#queue.splice(0, count), entries }
  }
}
