import { OutcomeUnknownError, StoreClosedError, StoreRefusedError } from '../../lib/errors.ts'
import type { Entry, Journal } from './journal.ts'
import type { Change } from './write-lock.ts'

/** A batch is closed when it has this many entries, */
const BATCH_ENTRIES = 1_000
/** or this many bytes of commits. Its last commit may exceed the limit, by at most as much again. */
const BATCH_BYTES = 8 * 1024 * 1024

interface QueuedChange {
  /** Size of the commit that it appends; 0 for other changes. */
  readonly bytes: number
  decide(write: (entry: Entry) => void): void
  settle(failure?: Error): void
}

/** Changes to answer: as decided, or with `failure`. */
interface Settled {
  readonly changes: readonly QueuedChange[]
  readonly failure?: Error
}

/**
 * Serializes the changes of a store's state and writes them to the journal in batches. While one batch is written,
 * further changes queue. They are decided in order, each against the state that all earlier ones left, and form the next
 * batch, up to its limits.
 *
 * After a failed write the end of the journal is unknown. All later changes are refused.
 */
export class WriteQueue {
  readonly #journal: Journal
  readonly #afterBatch: (durable: boolean) => void
  readonly #queue: QueuedChange[] = []
  #running: Promise<void> | undefined
  #failure: StoreRefusedError | undefined
  #closing: Promise<void> | undefined

  /** @param afterBatch - called after each write, before its changes are answered; `durable`: it succeeded */
  constructor(journal: Journal, afterBatch: (durable: boolean) => void) {
    this.#journal = journal
    this.#afterBatch = afterBatch
  }

  /** The error of all later calls, once a write has failed. */
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

  /** @param bytes - size of the commit that the change appends; 0 for other changes */
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

  /** Waits for pending changes, then closes the journal. Idempotent. */
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
    await undefined // changes that are added in the same tick join the first batch
    while (this.#queue.length > 0) {
      const { changes, failure } = this.#failure ? this.#refuseAll(this.#failure) : await this.#writeBatch()
      for (const change of changes) change.settle(failure)
    }
    this.#running = undefined // here, not in a `then`: the next change may be added before that would run
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
