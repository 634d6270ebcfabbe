import type { Clock, Logger, Timer, Worker, WorkTable } from '../../../lib/index.ts'

/** How often a process shows that it lives, in milliseconds. */
const BEAT_MS = 2_000

/** A process whose beat stood still for so long, by this one's clock, is taken for dead, in milliseconds. */
const DEAD_MS = 10_000

/**
 * Shows that this process lives, and watches the others: the work of one whose beat stands still is freed, within 15 s
 * of its end. No clock is compared with another's.
 */
export class Signs {
  readonly #work: WorkTable
  readonly #holder: string
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #called: string
  readonly #seen = new Map<string, { readonly worker: Worker; readonly since: number }>()
  #timer: Timer | undefined
  #beating: Promise<void> = Promise.resolve()
  #silent = false

  /** @param called - what the work is called in the logger's lines */
  constructor(work: WorkTable, holder: string, clock: Clock, logger: Logger, called: string) {
    this.#work = work
    this.#holder = holder
    this.#clock = clock
    this.#logger = logger
    this.#called = called
  }

  /** Resolves when the first beat is known: work that is claimed before would be nobody's. */
  async start(): Promise<void> {
    await this.#work.beat(this.#holder)
    this.#next()
  }

  /** Shows that it lives no more: others take over what this process still holds. */
  fallSilent(): void {
    this.#silent = true
    this.#timer?.cancel()
  }

  /** Frees whatever this process still holds, so that nobody has to wait for it. */
  async stop(): Promise<void> {
    this.fallSilent()
    await this.#beating
    try {
      const me = (await this.#work.workers()).find(({ holder }) => holder === this.#holder)
      if (me) await this.#work.takeOver(me)
    } catch (error) {
      this.#logger.warn({ err: error }, `${this.#called} in hand could not be given back; others take them over`)
    }
  }

  #next(): void {
    if (this.#silent) return
    this.#timer = this.#clock.setTimeout(() => {
      this.#beating = this.#beat().then(() => this.#next())
    }, BEAT_MS)
  }

  async #beat(): Promise<void> {
    try {
      await this.#work.beat(this.#holder)
      for (const worker of await this.#work.workers()) await this.#watch(worker)
    } catch (error) {
      this.#logger.debug({ err: error }, 'the signs of life could not be exchanged')
    }
  }

  async #watch(worker: Worker): Promise<void> {
    if (worker.holder === this.#holder) return
    const before = this.#seen.get(worker.holder)
    const now = this.#clock.monotonic()
    if (!before || before.worker.beat !== worker.beat) {
      this.#seen.set(worker.holder, { worker, since: now })
      return
    }
    if (now - before.since < DEAD_MS) return
    this.#seen.delete(worker.holder)
    const freed = await this.#work.takeOver(worker)
    if (freed > 0)
      this.#logger.info({ taken_over: freed }, `the ${this.#called} of a process that is gone are taken over`)
  }
}
