import type { Clock, Timer } from '../../lib/clock.ts'
import { OutcomeUnknownError, StoreClosedError, StoreRefusedError, StoreUnavailableError } from '../../lib/errors.ts'
import { type Entry, type Journal, JournalFullError, JournalUnusableError } from './journal.ts'
import type { Change } from './write-lock.ts'

/** A batch is closed when it has this many entries, */
const BATCH_ENTRIES = 1_000
/** or this many bytes of commits. Its last commit may exceed the limit, by at most as much again. */
const BATCH_BYTES = 8 * 1024 * 1024

/**
 * The limits of the queue, the same as of appends that wait for MongoDB. A change beyond them is rejected at once: the disk
 * is too slow.
 */
const QUEUE_CHANGES = 20_000
const QUEUE_BYTES = 128 * 1024 * 1024

/** After so many milliseconds a disk that was full is tried again. */
const ROOM_AGAIN_MS = 1_000

interface QueuedChange {
  /** Size of the commit that it appends; 0 for other changes. */
  readonly bytes: number
  decide(write: (entry: Entry) => void): void
  settle(failure?: Error): void
}

/** What is to be done while nothing is written. */
interface QueuedWork {
  run(): Promise<void>
  refuse(failure: Error): void
}

/** Changes to answer: as decided, or with `failure`. */
interface Settled {
  readonly changes: readonly QueuedChange[]
  readonly failure?: Error
  /** The journal was written. */
  readonly isWritten?: boolean
}

/**
 * Serializes the changes of a store's state and writes them to the journal in batches. While one batch is written,
 * further changes queue. They are decided in order, each against the state that all earlier ones left, and form the next
 * batch, up to its limits. The queue has limits, too.
 *
 * After a failed write the end of the journal is unknown. All later changes are refused. While a write hangs, everybody is
 * answered: nobody knows of the batch, and nothing else is accepted until the write has ended. While the disk is full it is
 * the same: the batch is written as soon as there is room.
 */
export class WriteQueue {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #afterBatch: (durable: boolean) => void
  readonly #makeRoom: () => Promise<boolean>
  readonly #queue: QueuedChange[] = []
  /** Size of the commits in the queue. */
  #queuedBytes = 0
  readonly #between: QueuedWork[] = []
  #running: Promise<void> | undefined
  #failure: StoreRefusedError | undefined
  /** The error of all changes while a write hangs. */
  #hanging: StoreUnavailableError | undefined
  /** The error of all changes while the disk is full. */
  #full: StoreUnavailableError | undefined
  #closing: Promise<void> | undefined
  readonly #closes = new AbortController()
  /** Called with the number of appends that were settled by a write. Must not throw. */
  onBatch: ((commits: number) => void) | undefined
  #heardOfHang: (() => void) | undefined

  /**
   * @param afterBatch - called after each write, before its changes are answered; `durable`: it succeeded
   * @param makeRoom - called when the disk is full; false: there is nothing that could go
   */
  constructor(
    journal: Journal,
    clock: Clock,
    afterBatch: (durable: boolean) => void,
    makeRoom: () => Promise<boolean>,
  ) {
    this.#journal = journal
    this.#clock = clock
    this.#afterBatch = afterBatch
    this.#makeRoom = makeRoom
  }

  /** The error of all later calls, once the journal has failed. */
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
    const refusal = this.#hanging ?? this.#full
    if (refusal) return Promise.reject(refusal)
    if (this.#queue.length >= QUEUE_CHANGES || this.#queuedBytes >= QUEUE_BYTES) {
      return Promise.reject(
        new StoreUnavailableError('too many changes wait for the disk: nothing was stored, try again later'),
      )
    }
    return new Promise((resolve, reject) => {
      let answer: () => void
      this.#queuedBytes += bytes
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

  /** Does something between two writes, when all that was decided is durable. What is changed meanwhile waits. */
  between<T>(work: () => Promise<T>): Promise<T> {
    this.assertOpen()
    const refusal = this.#hanging ?? this.#full
    if (refusal) return Promise.reject(refusal)
    return new Promise((resolve, reject) => {
      const run = async (): Promise<void> => {
        const watch = this.#watch([])
        try {
          resolve(await work())
        } catch (error) {
          this.noticeFailure()
          reject(error)
        } finally {
          watch?.cancel()
          this.#hanging = undefined
        }
      }
      this.#between.push({ run, refuse: reject })
      this.#running ??= this.#drain()
    })
  }

  /** Called when something else than a write has failed: nothing more is accepted if the journal has. */
  noticeFailure(): void {
    const { failure } = this.#journal
    if (failure === undefined || this.#failure) return
    this.#failure = refusalOf(failure)
    this.#afterBatch(false)
  }

  /**
   * Waits for pending changes, then closes the journal. Idempotent.
   *
   * @throws StoreUnavailableError (`STORE_UNAVAILABLE`): a write hangs; it may still reach the journal
   */
  close(): Promise<void> {
    this.#closing ??= this.#finish()
    return this.#closing
  }

  async #finish(): Promise<void> {
    this.#closes.abort()
    const hangs = new Promise<void>((resolve) => {
      this.#heardOfHang = resolve
    })
    if (!this.#hanging) await Promise.race([this.#running, hangs])
    this.#afterBatch(false)
    if (this.#hanging) throw this.#hanging
    await this.#journal.close()
  }

  async #drain(): Promise<void> {
    await undefined // changes that are added in the same tick join the first batch
    while (this.#queue.length > 0 || this.#between.length > 0) {
      const between = this.#between.shift()
      if (between) await between.run()
      const { changes, failure, isWritten } = this.#failure ? this.#refuseAll(this.#failure) : await this.#writeBatch()
      for (const change of changes) change.settle(failure)
      if (isWritten) this.#tellBatch(changes)
    }
    this.#running = undefined // here, not in a `then`: the next change may be added before that would run
  }

  #refuseAll(failure: StoreRefusedError): Settled {
    return { changes: this.#takeFromQueue(), failure }
  }

  async #writeBatch(): Promise<Settled> {
    const { changes, entries } = this.#decideBatch()
    try {
      if (entries.length > 0) await this.#write(entries, changes)
      this.#afterBatch(true)
      return { changes, isWritten: entries.length > 0 }
    } catch (cause) {
      this.#failure ??= refusalOf(cause)
      this.#afterBatch(false)
      return { changes, failure: new OutcomeUnknownError(reasonOf(cause), { cause }) }
    }
  }

  /** Changes of tables have no bytes. */
  #tellBatch(changes: readonly QueuedChange[]): void {
    const commits = changes.filter(({ bytes }) => bytes > 0).length
    if (commits > 0) this.onBatch?.(commits)
  }

  /** Goes on until there is room for the entries on the disk, or until the store closes. */
  async #write(entries: readonly Entry[], changes: readonly QueuedChange[]): Promise<void> {
    try {
      for (;;) {
        const full = await this.#tryToWrite(entries, changes)
        if (!full) return
        if (await this.#makeRoom()) continue
        if (this.closing) throw full
        this.#tellFull(full, changes)
        await this.#clock.sleep(ROOM_AGAIN_MS, this.#closes.signal)
      }
    } finally {
      this.#full = undefined
    }
  }

  async #tryToWrite(
    entries: readonly Entry[],
    changes: readonly QueuedChange[],
  ): Promise<JournalFullError | undefined> {
    const watch = this.#watch(changes)
    try {
      await this.#journal.write(entries)
      return undefined
    } catch (error) {
      if (error instanceof JournalFullError) return error
      throw error
    } finally {
      watch?.cancel()
      this.#hanging = undefined
    }
  }

  /** Answers everybody: nobody waits until there is room. */
  #tellFull(cause: JournalFullError, changes: readonly QueuedChange[]): void {
    const why = `the disk is full (${cause.message})`
    const full = new StoreUnavailableError(`${why}: nothing was stored. Make room on it, and all goes on`, { cause })
    this.#full = full
    for (const change of changes) {
      change.settle(new OutcomeUnknownError(`${why}; it is stored when there is room on it`, { cause }))
    }
    this.#refuseWaiting(full)
  }

  /** Answers everybody when the write takes too long. */
  #watch(changes: readonly QueuedChange[]): Timer | undefined {
    const { maxWriteMs } = this.#journal
    if (maxWriteMs === undefined) return undefined
    return this.#clock.setTimeout(() => {
      const why = `the disk has not answered a write for ${Math.round(maxWriteMs / 1_000)} s`
      const hanging = new StoreUnavailableError(why)
      this.#hanging = hanging
      for (const change of changes) change.settle(new OutcomeUnknownError(why))
      this.#refuseWaiting(hanging)
      this.#heardOfHang?.()
    }, maxWriteMs)
  }

  #refuseWaiting(failure: StoreUnavailableError): void {
    for (const change of this.#takeFromQueue()) change.settle(failure)
    for (const work of this.#between.splice(0)) work.refuse(failure)
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
    return { changes: this.#takeFromQueue(count), entries }
  }

  /** The first changes of the queue. Default: all. */
  #takeFromQueue(count: number = this.#queue.length): QueuedChange[] {
    const taken = this.#queue.splice(0, count)
    for (const { bytes } of taken) this.#queuedBytes -= bytes
    return taken
  }
}

/** The error of all calls once the journal has failed. */
function refusalOf(cause: unknown): StoreRefusedError {
  const why = reasonOf(cause)
  return new StoreRefusedError(
    cause instanceof JournalUnusableError
      ? `${why}. Nothing more is accepted`
      : `${why}. Nothing more is accepted: see to the disk, then open the store again`,
    { cause },
  )
}

function reasonOf(cause: unknown): string {
  return `the journal could not be written: ${cause instanceof Error ? cause.message : cause}`
}
