import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { inTime } from '../../../lib/in-time.ts'
import type { Clock, Heartbeat, Logger, Member, Work, WorkTable } from '../../../lib/index.ts'

/** What a loop does, and with what. */
export interface WorkLoopParts {
  readonly work: WorkTable
  readonly clock: Clock
  readonly logger: Logger
  /** Shows that the process lives. */
  readonly heartbeat: Heartbeat
  /** What the work is called in the logger's lines: `deliveries of logout tokens`. */
  readonly called: string
  /**
   * Take what may be done now, beside what is in hand, one after the other. What one of them has taken is begun before
   * the next is asked: that may fail.
   */
  readonly claims: readonly ((holder: string, inHand: ReadonlyMap<Promise<void>, Work>) => Promise<readonly Work[]>)[]
  /** Whether the claims have most likely taken all that was due: `pause` decides when to look again. Default: they have not. */
  readonly isDrained?: (claimed: number) => boolean
  /** Whether there may be something to claim because something in hand is done. Default: there may. */
  readonly mayClaimMore?: () => boolean
  /**
   * Does it, and gives it back or finishes it. Rejects where it could do neither: the loop gives it back, then. What takes
   * longer than `HAND_MS` is given to others.
   */
  readonly process: (work: Work) => Promise<void>
  /** The longest pause between two looks while nothing is due, in milliseconds. Default: 6 s. */
  readonly lookMs?: number
  /** How long there is nothing to claim, in milliseconds: until something is due. Infinity: nothing is to come. */
  readonly pause: () => Promise<number>
}

/** The pause after a failure, in milliseconds. */
const FAILED_MS = 1_000

/**
 * While nothing is due it is looked from time to time whether something is, since other processes plan too: after so many
 * milliseconds, then after twice as many, up to `lookMs`.
 */
const FIRST_LOOK_MS = 1_000
const LOOK_MS = 6_000

/** How long what is in hand may take once it is stopped, in milliseconds. */
const GRACE_MS = 10_000

/** How long stopping may take in all, in milliseconds: the grace, and a little for the store to take the work back. */
export const STOP_MS: number = GRACE_MS + 2_000

/** How long a piece of work may be in hand, in milliseconds: longer than the store is waited for. */
export const HAND_MS: number = 15 * 60_000

/** A loop that read nothing for so long, in milliseconds, shows no sign of life: others do its work. */
const STUCK_MS = 30_000

/** Finished work is kept so long, in milliseconds, so that a late planner cannot make it again. */
const KEPT_MS = 24 * 3_600_000
const SWEEP_MS = 3_600_000

/** So often it is looked, in milliseconds, whether somebody holds work who is not among the living. */
const ORPHANS_MS = 30_000

/**
 * Does the work of a table that many processes share: claims what is due, carries it out, rests until something is due
 * or somebody wakes it. Shows that it lives while it makes progress, and frees what is held by those who do not live: at
 * once where it sees them die, and otherwise when they were missing at two looks.
 */
export class WorkLoop {
  /** Aborts when nothing more is to be begun. */
  readonly stopping: AbortSignal
  /** Aborts when what is in hand is to end. */
  readonly hurry: AbortSignal
  readonly #parts: WorkLoopParts
  readonly #member: Member
  readonly #inHand = new Map<Promise<void>, Work>()
  readonly #stopped = new AbortController()
  readonly #hurried = new AbortController()
  /** Holders that died, whose work is to be freed. */
  readonly #dead = new Set<string>()
  /** Holders of work that were not among the living at the last look. */
  #missing: ReadonlySet<string> = new Set()
  #napping: AbortController | undefined
  #woken = false
  #running: Promise<void> | undefined
  #ending: Promise<void> | undefined
  #sweptAt: number | undefined
  #orphansAt: number | undefined
  /** When it read the table last, by the monotonic clock. */
  #readAt = 0

  constructor(parts: WorkLoopParts) {
    this.#parts = parts
    this.stopping = this.#stopped.signal
    this.hurry = this.#hurried.signal
    // Whatever is in hand listens: that is no leak.
    setMaxListeners(0, this.stopping, this.hurry)
    this.#member = {
      holder: randomBytes(9).toString('base64url'),
      isWell: () => parts.clock.monotonic() - this.#readAt < STUCK_MS,
      onGone: (holder) => {
        this.#dead.add(holder)
        this.wake()
      },
    }
  }

  /** Resolves when its work cannot be mistaken for that of a process which is gone. Idempotent. */
  async start(): Promise<void> {
    if (this.#running !== undefined) return
    this.#readAt = this.#parts.clock.monotonic()
    await this.#parts.heartbeat.join(this.#member)
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
    const { clock, logger, called, heartbeat } = this.#parts
    this.#stopped.abort()
    this.wake()
    if (await inTime(this.#end(), clock, STOP_MS)) return
    heartbeat.drop(this.#member)
    logger.warn(
      { event: 'work_not_stopped', in_flight: this.#inHand.size },
      `the ${called} in hand could not be ended in time, the store does not answer; others take them over`,
    )
  }

  async #end(): Promise<void> {
    const timer = this.#parts.clock.setTimeout(() => this.#hurried.abort(), GRACE_MS)
    await this.#running
    await Promise.all(this.#inHand.keys())
    timer.cancel()
    await this.#leave()
  }

  /** Frees whatever this process still holds, so that nobody has to wait for it. */
  async #leave(): Promise<void> {
    const { work, heartbeat, logger, called } = this.#parts
    heartbeat.drop(this.#member)
    try {
      await work.free(this.#member.holder)
      await heartbeat.leave(this.#member)
    } catch (err) {
      const message = `${called} in hand could not be given back; others take them over`
      logger.warn({ event: 'work_not_released', err }, message)
    }
  }

  async #run(): Promise<void> {
    const { logger, clock, claims, isDrained, called } = this.#parts
    let failing = false
    while (!this.stopping.aborted) {
      this.#woken = false
      try {
        let begun = 0
        for (const claim of claims) {
          const claimed = await claim(this.#member.holder, this.#inHand)
          if (this.stopping.aborted) return await this.#putBack(claimed)
          for (const work of claimed) this.#hold(work, this.#process(work))
          begun += claimed.length
        }
        await this.#freeDead()
        await this.#sweep()
        this.#readAt = clock.monotonic()
        failing = false
        if (begun === 0 || isDrained?.(begun)) await this.#rest()
      } catch (err) {
        if (this.stopping.aborted) return
        const message = `${called} cannot be read; this process goes on trying`
        if (!failing) logger.warn({ event: 'work_unreadable', err }, message)
        failing = true
        await clock.sleep(FAILED_MS, this.stopping)
      }
    }
  }

  /** Until there is something to claim. While there is nothing, a look costs one command. */
  async #rest(): Promise<void> {
    const { pause, lookMs = LOOK_MS, clock } = this.#parts
    for (let look = FIRST_LOOK_MS; ; look = Math.min(lookMs, look * 2)) {
      const ms = await pause()
      this.#readAt = clock.monotonic()
      // What became due while nobody looked is claimed at once; what was due just now could not be claimed.
      if (look > FIRST_LOOK_MS && ms <= FIRST_LOOK_MS) return
      await this.#nap(Math.max(1, Math.min(ms, look)))
      if (ms <= look || this.#woken || this.stopping.aborted) return
      await this.#freeOrphans()
    }
  }

  /** Gives back what was claimed and is not to be done after all: nobody else would, while this process lives. */
  giveBack(claimed: readonly Work[]): void {
    for (const work of claimed) this.#hold(work, this.#giveBack(work))
  }

  #hold(work: Work, doing: Promise<void>): void {
    const { mayClaimMore } = this.#parts
    const carried = doing.finally(() => {
      this.#inHand.delete(carried)
      if (mayClaimMore?.() ?? true) this.wake()
    })
    this.#inHand.set(carried, work)
  }

  async #process(work: Work): Promise<void> {
    const { process: carry, clock, logger, called } = this.#parts
    try {
      if (await inTime(carry(work), clock, HAND_MS)) return
      logger.error(
        { event: 'work_stuck', work: work.id },
        `one of the ${called} has been in hand for too long: it is given to others`,
      )
    } catch (err) {
      if (this.stopping.aborted) return // others take it over
      logger.error({ event: 'work_failed', err, work: work.id }, `one of the ${called} failed: it is given back`)
    }
    await clock.sleep(FAILED_MS, this.stopping)
    await this.#giveBack(work)
  }

  /** Until the store takes it back, or this process stops: then others take it over. */
  async #giveBack(work: Work): Promise<void> {
    const { work: table, clock } = this.#parts
    for (let pauseMs = FAILED_MS; !this.stopping.aborted; pauseMs = Math.min(60_000, pauseMs * 2)) {
      try {
        await table.putBack(work, work)
        this.wake()
        return
      } catch {} // the loop itself says that the store is away
      await clock.sleep(pauseMs, this.stopping)
    }
  }

  /** At once: others may believe this process to be gone by now, and would not look for what it holds. */
  async #putBack(claimed: readonly Work[]): Promise<void> {
    await Promise.all(claimed.map((work) => this.#parts.work.putBack(work, work)))
  }

  async #nap(ms: number): Promise<void> {
    if (this.#woken) return
    this.#napping = new AbortController()
    await this.#parts.clock.sleep(ms, this.#napping.signal)
    this.#napping = undefined
  }

  async #freeDead(): Promise<void> {
    for (const holder of [...this.#dead]) {
      await this.#free(holder)
      this.#dead.delete(holder)
    }
    await this.#freeOrphans()
  }

  /**
   * A process that was taken for dead, and was not, may have claimed work just before it died: nobody sees it die again.
   */
  async #freeOrphans(): Promise<void> {
    const { clock, work, heartbeat } = this.#parts
    if (!heartbeat.isCurrent) return
    if (this.#orphansAt !== undefined && clock.monotonic() - this.#orphansAt < ORPHANS_MS) return
    this.#orphansAt = clock.monotonic()
    const holders = await work.holders()
    const missing = holders.filter((holder) => !heartbeat.knows(holder))
    for (const holder of missing) if (this.#missing.has(holder)) await this.#free(holder)
    this.#missing = new Set(missing)
  }

  async #free(holder: string): Promise<void> {
    const freed = await this.#parts.work.free(holder)
    if (freed === 0) return
    this.wake()
    this.#parts.logger.info(
      { event: 'work_taken_over', taken_over: freed },
      `the ${this.#parts.called} of a process that is gone are taken over`,
    )
  }

  async #sweep(): Promise<void> {
    const { clock, work } = this.#parts
    if (this.#sweptAt !== undefined && clock.monotonic() - this.#sweptAt < SWEEP_MS) return
    this.#sweptAt = clock.monotonic()
    await work.sweep((await work.time()) - KEPT_MS)
  }
}
