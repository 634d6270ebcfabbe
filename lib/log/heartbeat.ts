import type { Clock, Timer } from '../clock.ts'
import { componentLogger, type Logger } from '../logger.ts'
import type { EventStore } from './event-store.ts'
import type { Living, Sign } from './liveness-table.ts'

/** How often a process shows that it lives and looks at the others, in milliseconds, unless a lease asks for more. */
const BEAT_MS = 2_000

/** A lease is shown to be held so many times within its length. */
const BEATS_PER_LEASE = 5

/** A holder whose sign of life was seen to stand still for so long is forgotten, in milliseconds of this process's clock. */
export const DEAD_MS: number = 10_000

/** Somebody in this process who holds leases or work. */
export interface Member {
  readonly holder: string
  /** How long its sign of life may stand still before others take what it holds, in milliseconds. Default: 10 s. */
  readonly leaseMs?: number
  /** Whether it makes progress. As long as it does not, no sign of life is shown for it. */
  isWell(): boolean
  /** Told of each holder that is gone, once. */
  onGone?(holder: string): void
}

/** What it works with. */
export interface HeartbeatParts {
  readonly store: Pick<EventStore, 'liveness'>
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Shows that this process lives, once for all that hold leases or work in it, and watches the other processes: one
 * command each time. It beats while somebody has joined, and for those only who make progress: a handler that hangs loses
 * what it holds although its process is alive. No clock is compared with another's. Time in which nothing was heard does
 * not count: a store that is away for all leaves nobody for dead.
 */
export class Heartbeat {
  readonly #parts: HeartbeatParts
  readonly #members = new Set<Member>()
  readonly #listeners = new Set<() => void>()
  /** Each sign of life, and how long it was seen to stand still. */
  readonly #seen = new Map<string, { readonly sign: Sign; readonly stillMs: number }>()
  #present: ReadonlySet<string> = new Set()
  #notices: number | undefined
  /** When it saw the others last, by the monotonic clock. */
  #heardAt: number | undefined
  #timer: Timer | undefined
  #beating: Promise<void> = Promise.resolve()
  /** The last exchange that was asked for, whatever came of it. */
  #exchanged: Promise<void> = Promise.resolve()
  #failing = false

  constructor(parts: HeartbeatParts) {
    this.#parts = { ...parts, logger: componentLogger(parts.logger, 'heartbeat') }
  }

  /** Resolves when the first sign of life is stored: work that is claimed before would be nobody's. */
  async join(member: Member): Promise<void> {
    this.#members.add(member)
    try {
      await this.#exchange()
    } catch (error) {
      this.drop(member)
      throw error
    }
    this.#schedule()
  }

  /** Shows nothing more for it: others take what it still holds. */
  drop(member: Member): void {
    this.#members.delete(member)
    if (this.#members.size > 0 || this.#listeners.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** The same, and takes its sign of life away: it holds nothing any more, so that nobody has to wait. */
  async leave(member: Member): Promise<void> {
    this.drop(member)
    await this.#beating
    const { liveness } = this.#parts.store
    const sign = (await liveness.beat([])).signs.find(({ holder }) => holder === member.holder)
    if (sign) await liveness.forget(sign)
  }

  /** Calls `listener` when another process has told that something which is followed has changed. Returns what ends that. */
  onNotice(listener: () => void): () => void {
    this.#listeners.add(listener)
    this.#schedule()
    return () => {
      this.#listeners.delete(listener)
      if (this.#members.size > 0 || this.#listeners.size > 0) return
      this.#timer?.cancel()
      this.#timer = undefined
    }
  }

  /** Whether the holder has a sign of life, as this process saw them last. */
  knows(holder: string): boolean {
    return this.#present.has(holder)
  }

  /** Whether it saw the others of late: who began since it saw them last is not known, and not dead. */
  get isCurrent(): boolean {
    return this.#heardAt !== undefined && this.#parts.clock.monotonic() - this.#heardAt < DEAD_MS
  }

  /** How long the holder's sign of life was seen to stand still, in milliseconds; undefined: it was never seen. */
  stoodStillMs(holder: string): number | undefined {
    return this.#seen.get(holder)?.stillMs
  }

  #schedule(): void {
    if (this.#timer !== undefined || (this.#members.size === 0 && this.#listeners.size === 0)) return
    this.#timer = this.#parts.clock.setTimeout(() => {
      this.#beating = this.#beat()
    }, this.#intervalMs)
  }

  get #intervalMs(): number {
    const leases = [...this.#members].map(({ leaseMs = DEAD_MS }) => leaseMs / BEATS_PER_LEASE)
    return Math.min(BEAT_MS, ...leases)
  }

  async #beat(): Promise<void> {
    try {
      await this.#exchange()
      this.#failing = false
    } catch (err) {
      if (!this.#failing)
        this.#parts.logger.debug({ event: 'heartbeat_failed', err }, 'signs of life could not be exchanged')
      this.#failing = true
    } finally {
      this.#timer = undefined
      this.#schedule()
    }
  }

  /** One at a time: in an answer that a later one has overtaken, holders that have just come would be gone. */
  #exchange(): Promise<void> {
    const exchanging = this.#exchanged.then(() => this.#exchangeSigns())
    this.#exchanged = exchanging.catch(() => undefined)
    return exchanging
  }

  async #exchangeSigns(): Promise<void> {
    const { liveness } = this.#parts.store
    const living = await liveness.beat([...this.#members].filter((one) => one.isWell()).map(({ holder }) => holder))
    this.#hear(living)
    const gone = [...this.#seen].filter(([holder]) => !this.#present.has(holder)).map(([holder]) => holder)
    for (const { sign, stillMs } of this.#seen.values()) {
      if (!this.#present.has(sign.holder) || stillMs < DEAD_MS) continue
      if (await liveness.forget(sign)) gone.push(sign.holder)
    }
    for (const holder of gone) this.#forget(holder)
  }

  #hear({ signs, notices }: Living): void {
    const now = this.#parts.clock.monotonic()
    // One interval at most, however long nothing was heard: nobody could show anything where the store was away.
    const heardMs = Math.min(now - (this.#heardAt ?? now), this.#intervalMs)
    this.#heardAt = now
    for (const [holder, { sign, stillMs }] of this.#seen) this.#seen.set(holder, { sign, stillMs: stillMs + heardMs })
    for (const sign of signs) {
      if (this.#seen.get(sign.holder)?.sign.beat !== sign.beat) this.#seen.set(sign.holder, { sign, stillMs: 0 })
    }
    this.#present = new Set(signs.map(({ holder }) => holder))
    const changed = this.#notices !== notices // the first one as well: it may have come since the state was read
    this.#notices = notices
    if (changed) for (const listener of this.#listeners) listener()
  }

  /** What is remembered of a holder that is gone is dropped once no lease can still be waited for. */
  #forget(holder: string): void {
    const seen = this.#seen.get(holder)
    if (seen && seen.stillMs >= DEAD_MS) this.#seen.delete(holder)
    for (const member of this.#members) if (member.holder !== holder) member.onGone?.(holder)
  }
}
