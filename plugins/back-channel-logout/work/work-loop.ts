import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Clock, Logger, Work, WorkTable } from '../../../lib/index.ts'
import { inTime } from './in-time.ts'
import { Signs } from './signs-of-life.ts'

/** What a loop does, and with what. */
export interface WorkLoopParts {
  readonly work: WorkTable
  readonly clock: Clock
  readonly logger: Logger
  /** What the work is called in the logger's lines: `deliveries of logout tokens`. */
  readonly called: string
  /** Takes what may be done now, beside what is in hand. */
  readonly claim: (holder: string, inHand: ReadonlyMap<Promise<void>, Work>) => Promise<Work[]>
  /** Does it, and gives it back or finishes it. Never rejects. */
  readonly carry: (work: Work) => Promise<void>
  /** How long to rest when there is nothing to do, in milliseconds: until something is due. */
  readonly pause: () => Promise<number>
}

/** The pause after a failure, in milliseconds. */
const FAILED_MS = 1_000

/** How long what is in hand may take once it is stopped, in milliseconds. */
const GRACE_MS = 10_000

/** How long stopping may take in all, in milliseconds: the grace, and a little for the store to take the work back. */
export const STOP_MS: number = GRACE_MS + 2_000

/** Finished work is kept so long, in milliseconds, so that a late planner cannot make it again. */
const KEPT_MS = 24 * 3_600_000
const SWEEP_MS = 3_600_000

/**
 * Does the work of a table that many processes share: claims what is due, carries it out, rests until something is due
 * or somebody wakes it. Shows that it lives while it does, and takes over what processes had in hand that died.
 */
export class WorkLoop {
  /** Aborts when nothing more is to be begun. */
  readonly stopping: AbortSignal
  /** Aborts when what is in hand is to end. */
  readonly hurry: AbortSignal
  readonly #parts: WorkLoopParts
  readonly #holder = randomBytes(9).toString('base64url')
  readonly #inHand = new Map<Promise<void>, Work>()
  readonly #stopped = new AbortController()
  readonly #hurried = new AbortController()
  readonly #signs: Signs
  #napping: AbortController | undefined
  #woken = false
  #running: Promise<void> | undefined
  #ending: Promise<void> | undefined
  #sweptAt: number | undefined

  constructor(parts: WorkLoopParts) {
    this.#parts = parts
    this.stopping = this.#stopped.signal
    this.hurry = this.#hurried.signal
    // Whatever is in hand listens: that is no leak.
    setMaxListeners(0, this.stopping, this.hurry)
    this.#signs = new Signs(parts.work, this.#holder, parts.clock, parts.logger, parts.called)
  }

  /** Resolves when its work cannot be mistaken for that of a process which is gone. Idempotent. */
  async start(): Promise<void> {
    if (this.#running !== undefined) return
    await this.#signs.start()
    this.#running = this.#run()
  }

  /** There may be something to do. */
  wake(): void {
    this.#woken = true
    this.#napping?.abort()
  }

  /**
   * Claims nothing more, lets what is in hand end, gives the rest to others; within `STOP_MS`, whatever the database
   * does. Idempotent.
   */
  stop(): Promise<void> {
    this.#ending ??= this.#stop()
    return this.#ending
  }

  async #stop(): Promise<void> {
    const { clock, logger, called } = this.#parts
    this.#stopped.abort()
    this.wake()
    if (await inTime(this.#end(), clock, STOP_MS)) return
    this.#signs.fallSilent()
    const left = { in_flight: this.#inHand.size }
    logger.warn(
      left,
      `the ${called} in hand could not be ended in time, the store does not answer; others take them over`,
    )
  }

  async #end(): Promise<void> {
    const timer = this.#parts.clock.setTimeout(() => this.#hurried.abort(), GRACE_MS)
    await this.#running
    await Promise.all(this.#inHand.keys())
    timer.cancel()
    await this.#signs.stop()
  }

  async #run(): Promise<void> {
    const { logger, clock, claim, pause, called } = this.#parts
    let failing = false
    while (!this.stopping.aborted) {
      this.#woken = false
      try {
        const claimed = await claim(this.#holder, this.#inHand)
        if (this.stopping.aborted) return await putBackAll(this.#parts.work, claimed)
        for (const work of claimed) this.#begin(work)
        await this.#sweep()
        failing = false
        if (claimed.length === 0) await this.#nap(await pause())
      } catch (error) {
        if (this.stopping.aborted) return
        if (!failing) logger.warn({ err: error }, `${called} cannot be read; this process goes on trying`)
        failing = true
        await clock.sleep(FAILED_MS, this.stopping)
      }
    }
  }

  #begin(work: Work): void {
    const carried = this.#parts.carry(work).finally(() => {
      this.#inHand.delete(carried)
      this.wake()
    })
    this.#inHand.set(carried, work)
  }

  async #nap(ms: number): Promise<void> {
    if (this.#woken) return
    this.#napping = new AbortController()
    await this.#parts.clock.sleep(ms, this.#napping.signal)
    this.#napping = undefined
  }

  async #sweep(): Promise<void> {
    const { clock, work } = this.#parts
    if (this.#sweptAt !== undefined && clock.monotonic() - this.#sweptAt < SWEEP_MS) return
    this.#sweptAt = clock.monotonic()
    await work.sweep(clock.now() - KEPT_MS)
  }
}

/**
 * Gives back what was claimed and not begun. To be done at once: others may believe this process to be gone by now, and
 * would not look for what it holds.
 */
export async function putBackAll(table: WorkTable, claimed: readonly Work[]): Promise<void> {
  await Promise.all(claimed.map((work) => table.putBack(work, work)))
}
