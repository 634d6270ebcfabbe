import { randomBytes } from 'node:crypto'
import type { Clock, Timer } from '../clock.ts'
import { sweepAccountKeys } from '../erasure/sweep-account-keys.ts'
import { RetentionBusyError, StoreClosedError } from '../errors.ts'
import type { EventStore } from '../log/event-store.ts'
import { componentLogger, type Logger } from '../logger.ts'
import { AccountKeys } from '../secrets/account-keys.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { linkSegments, retireInSegments, thatAreBack } from '../verify/segments.ts'
import { type Horizon, horizonOf } from './horizon.ts'
import { isTransient, modelRule } from './model-rule.ts'
import { remainingAfter, UNKNOWN } from './remaining.ts'
import { RETENTION_DEFAULTS, type RetentionPolicy } from './retention-options.ts'
import { type RetentionReport, type RetentionStatus, Tally } from './retention-report.ts'
import type { RetentionContext, RetentionRule } from './retention-rule.ts'
import { type Memory, memoryFromJson, memoryToJson, NO_MEMORY } from './retention-state.ts'
import { judgeNext } from './retention-walk.ts'
import { forgottenRule, signOutRule } from './sign-out-rule.ts'

/** So often a process looks whether there is something to do, in milliseconds; a little more or less. */
const LOOK_MS = 600_000

/** For so long a process that has started leaves it alone, in milliseconds: it has enough to do. */
const FIRST_MS = 60_000

/** The whole log is gone through so often, in milliseconds. */
const WALK_MS = 24 * 3_600_000

/** What strangers write is looked at when it is so much older than it has to be, in milliseconds: interactions live for an hour. */
const SLACK_MS = 2 * 3_600_000

/**
 * The record of a destroyed key stays so much longer than the states that it has sealed, in milliseconds: what is left of
 * them could not be told from damage.
 */
const AFTER_STATES_MS = 30 * 86_400_000

/** A holder that has written nothing between two looks of another process is taken for dead: so far they are apart at least. */
const DEAD_MS = 60_000

/** Between two pages it rests as long as the page took, within these bounds, in milliseconds. */
const REST_MS = { least: 20, most: 2_000 }

/** What retention works with. */
export interface RetentionParts {
  readonly store: EventStore
  readonly clock: Clock
  readonly logger: Logger
  /** Undefined: it is off, and runs only when it is asked to. */
  readonly policy: RetentionPolicy | undefined
  /** What plugins know of their own events. */
  readonly rules: readonly RetentionRule[]
  /** Default: nothing is measured. */
  readonly telemetry?: Telemetry
}

/** How a run is made. All optional. */
export interface RetentionRunOptions {
  /** Only counts what would go. Default: false. */
  readonly dryRun?: boolean
  readonly signal?: AbortSignal
  /** Called after each page with how many commits were looked at, and how many go. */
  readonly onProgress?: (progress: { readonly looked: number; readonly commits: number }) => void
}

/** Removes what nobody needs any more. */
export interface Retention {
  /**
   * Goes through the whole log now, and removes what is not needed; or counts it. Needs no started provider.
   *
   * @throws RetentionBusyError (`RETENTION_BUSY`): another process is at it
   * @throws StoreUnavailableError (`STORE_UNAVAILABLE`): some of it may have gone, and the next run goes on
   */
  run(options?: RetentionRunOptions): Promise<RetentionReport>
  status(): Promise<RetentionStatus>
}

/** Thrown where another process has taken over: it goes on. */
class TakenOver extends Error {}

/**
 * Removes what nobody needs any more, beside the requests. One process at a time: what it remembers lies in one document
 * that is written after each page, and only by who has read it as it is. A process that died is replaced by one that has
 * seen that document stand still.
 *
 * What strangers write is gone through once, when it is three hours old; everything, once a day.
 */
export class LogRetention implements Retention {
  readonly #parts: RetentionParts
  readonly #rules: readonly RetentionRule[]
  readonly #accountKeys: AccountKeys
  readonly #holder = randomBytes(9).toString('base64url')
  #timer: Timer | undefined
  #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  /** What was seen of another holder, and when by the monotonic clock. */
  #seen: { readonly revision: number; readonly at: number } | undefined
  #isHeldLogged = false

  constructor(parts: RetentionParts) {
    this.#parts = { ...parts, logger: componentLogger(parts.logger, 'retention') }
    this.#accountKeys = new AccountKeys(parts.store, parts.clock)
    this.#rules = [modelRule, signOutRule, forgottenRule, ...parts.rules]
  }

  /** Looks from time to time whether there is something to do. Idempotent. */
  start(): void {
    const { policy, logger, store, telemetry } = this.#parts
    telemetry?.record('oidc_provider_eventstore.retention.removed', 0)
    if (policy === undefined) {
      logger.warn(
        { event: 'retention_off' },
        'nothing is ever removed from the log: it grows with each request, those of strangers too. Set `retention`, or call retention.run()',
      )
    }
    if (this.#timer || (policy === undefined && !store.segments)) return
    this.#stopping = new AbortController()
    this.#schedule(FIRST_MS + Math.random() * (LOOK_MS - FIRST_MS))
  }

  /** Resolves when the page in hand is done. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#timer?.cancel()
    this.#timer = undefined
    await this.#running
  }

  async status(): Promise<RetentionStatus> {
    const { store } = this.#parts
    const memory = await this.#memory()
    const [floor, horizon] = await Promise.all([
      store.retention.floor(),
      horizonOf(store, this.#rules, memory.samples, await this.#earlierTime()),
    ])
    const watchedSince = memory.samples.first?.at
    return {
      floor,
      removed: memory.removed,
      ...(memory.walkedAt !== undefined && { walkedAt: memory.walkedAt }),
      ...(watchedSince !== undefined && { watchedSince }),
      ...(horizon.heldBy && { heldBy: horizon.heldBy }),
    }
  }

  /** When it last reached the end of the log, milliseconds since 1970. One read. */
  async walkedAt(): Promise<number | undefined> {
    return (await this.#memory()).walkedAt
  }

  async run({ dryRun = false, signal, onProgress }: RetentionRunOptions = {}): Promise<RetentionReport> {
    const tally = new Tally()
    const turn = dryRun ? undefined : await this.#takeNow(signal)
    const before = turn?.memory ?? (await this.#memory())
    const free = await horizonOf(this.#parts.store, this.#rules, before.samples, await this.#earlierTime())
    try {
      const horizon = turn ? await this.#linked(turn, free, signal ?? new AbortController().signal) : free
      if (turn) turn.memory = { ...upTo(turn.memory, horizon), walk: BEGUN }
      for (let after = 0; !signal?.aborted; ) {
        const page = await this.#judge(after, horizon, before, false)
        if (!page) break
        tally.looked += page.going.length + page.kept.length
        tally.add(page.going)
        if (turn) await this.#remove(turn, page.going, after, page.end, () => this.#walked(turn.memory, page, after))
        onProgress?.({ looked: tally.looked, commits: tally.commits })
        after = page.end
      }
      if (turn && !signal?.aborted) await this.#complete(turn, horizon, signal)
    } catch (error) {
      throw error instanceof TakenOver ? new RetentionBusyError() : error
    } finally {
      if (turn) await this.#release(turn)
    }
    const watchedSince = before.samples.first?.at
    return {
      dryRun,
      looked: tally.looked,
      commits: tally.commits,
      kinds: tally.kinds,
      horizon: free.position,
      ...(free.heldBy && { heldBy: free.heldBy }),
      ...(watchedSince !== undefined && { watchedSince }),
    }
  }

  #schedule(inMs: number): void {
    const { clock, logger } = this.#parts
    this.#timer = clock.setTimeout(() => {
      this.#running = this.#look()
        .catch((err) => {
          if (err instanceof StoreClosedError) this.#stopping.abort() // whoever closed it has not called stop()
          if (err instanceof TakenOver || this.#stopping.signal.aborted) return
          logger.warn({ event: 'retention_failed', err }, 'retention could not go on; it tries again later')
        })
        .finally(() => {
          if (!this.#stopping.signal.aborted) this.#schedule(LOOK_MS * (0.9 + 0.2 * Math.random()))
        })
    }, inMs)
  }

  async #look(): Promise<void> {
    const turn = await this.#take()
    if (!turn) return
    try {
      await this.#goOn(turn)
    } finally {
      await this.#release(turn)
    }
  }

  async #goOn(turn: Turn): Promise<void> {
    const { store, policy = RETENTION_DEFAULTS, logger } = this.#parts
    const now = await this.#earlierTime()
    const free = await horizonOf(store, this.#rules, turn.memory.samples, now)
    this.#logHeld(free)
    const horizon = await this.#linked(turn, free, this.#stopping.signal)
    if (this.#parts.policy === undefined) return
    const tally = new Tally()
    const young = Math.min(horizon.position, turn.memory.samples.olderThan(policy.interactionsMs + SLACK_MS, now))
    await this.#walk(turn, { ...horizon, position: young }, tally, true)
    const { walk, walkedAt } = turn.memory
    if (walk || walkedAt === undefined || now - walkedAt >= WALK_MS) {
      turn.memory = { ...upTo(turn.memory, horizon), walk: walk ?? BEGUN }
      await this.#walk(turn, horizon, tally, false)
      if (!this.#stopping.signal.aborted) await this.#complete(turn, horizon, this.#stopping.signal)
    }
    if (tally.commits === 0) return
    logger.info(
      { event: 'retention_removed', commits: tally.commits, looked: tally.looked },
      'commits that nobody needs any more were removed',
    )
  }

  /** On from where it stands, up to the horizon, at rest as long as at work. */
  async #walk(turn: Turn, horizon: Horizon, tally: Tally, isYoung: boolean): Promise<void> {
    const { clock } = this.#parts
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const began = clock.monotonic()
      const after = isYoung ? turn.memory.youngAt : (turn.memory.walk?.at ?? 0)
      const page = await this.#judge(after, horizon, turn.memory, isYoung)
      if (!page) return
      tally.looked += page.going.length + page.kept.length
      tally.add(page.going)
      await this.#remove(turn, page.going, after, page.end, () =>
        isYoung ? { ...turn.memory, youngAt: page.end } : this.#walked(turn.memory, page, after),
      )
      await clock.sleep(Math.min(REST_MS.most, Math.max(REST_MS.least, clock.monotonic() - began)), signal)
    }
  }

  #walked(memory: Memory, page: Page, after: number): Memory {
    const { walk } = memory
    if (!walk) return memory
    return {
      ...memory,
      walk: {
        ...walk,
        at: page.end,
        remaining: remainingAfter(walk.remaining, page.kept, {
          start: after,
          end: page.end,
          now: page.now,
          unread: page.unread,
        }),
      },
    }
  }

  /** The horizon may have gone back: a consumer is new. Then the walk goes on when it is where walks have been before. */
  async #complete(turn: Turn, horizon: Horizon, signal: AbortSignal | undefined): Promise<void> {
    if (horizon.position < turn.memory.upTo) return
    const { walk } = turn.memory
    const remaining = walk?.remaining ?? turn.memory.remaining
    await this.#sweepAccountKeys(turn, signal)
    turn.memory = { ...turn.memory, walk: undefined, remaining, walkedAt: await this.#laterTime() }
    await this.#save(turn)
  }

  /** A part at a time: that this process is at it has to be seen by the others. What is left is for the next walk. */
  async #sweepAccountKeys(turn: Turn, signal: AbortSignal | undefined): Promise<void> {
    const { store, policy = RETENTION_DEFAULTS } = this.#parts
    const now = await this.#earlierTime()
    const unusedMs = Math.max(policy.sessionLogoutsMs, policy.statesMs + AFTER_STATES_MS)
    while (!signal?.aborted && (await sweepAccountKeys(store, now - unusedMs, now))) {
      await this.#save(turn)
    }
  }

  async #judge(after: number, horizon: Horizon, memory: Memory, isYoung: boolean): Promise<Page | undefined> {
    const { store, policy = RETENTION_DEFAULTS } = this.#parts
    const context: RetentionContext = {
      store,
      accountKeys: this.#accountKeys,
      policy,
      now: await this.#earlierTime(),
      samples: memory.samples,
      horizon: horizon.position,
      pinned: horizon.pinned,
      remaining: memory.remaining,
    }
    const page = await judgeNext(store, this.#rules, after, context, {
      mayGo: (commit) => !horizon.pinned.has(commit.position) && (!isYoung || isTransient(commit)),
    })
    return page && !isYoung ? this.#withoutBack(page) : page
  }

  /** What was removed once is removed again, whatever it is: its process died on the way, or somebody has put it back. */
  async #withoutBack(page: Page): Promise<Page> {
    const { segments } = this.#parts.store
    const back = new Set(segments ? await thatAreBack(segments, page.kept) : [])
    if (back.size === 0) return page
    const kept = page.kept.filter((commit) => !back.has(commit))
    const going = [...page.going, ...back].sort((a, b) => a.position - b.position)
    return { ...page, going, kept }
  }

  /** Removes them, then writes down how far it got: after a crash the page is judged again. */
  async #remove(turn: Turn, going: Page['going'], after: number, end: number, advance: () => Memory): Promise<void> {
    const { store, telemetry } = this.#parts
    const positions = store.segments
      ? await retireInSegments(store.segments, going)
      : going.map(({ position }) => position)
    const last = positions.at(-1)
    if (last !== undefined) {
      await store.retention.remove({ positions, tombstones: { from: after + 1, to: last } })
      telemetry?.record('oidc_provider_eventstore.retention.removed', positions.length)
    }
    turn.memory = { ...advance(), removed: turn.memory.removed + positions.length }
    if (end > after) await this.#save(turn)
  }

  /** @throws RetentionBusyError: another process is at it, and has just shown that it lives */
  async #takeNow(signal: AbortSignal | undefined): Promise<Turn> {
    const turn = await this.#take()
    if (turn) return turn
    await this.#parts.clock.sleep(DEAD_MS, signal)
    const taken = await this.#take()
    if (!taken) throw new RetentionBusyError()
    return taken
  }

  /** Undefined: another process is at it, and lives as far as this one knows. */
  async #take(): Promise<Turn | undefined> {
    const { store, clock } = this.#parts
    const found = await store.retention.state()
    const memory = found ? memoryFromJson(found.state) : NO_MEMORY
    const revision = found?.revision ?? 0
    if (memory.holder !== undefined && memory.holder !== this.#holder) {
      const stoodStill = this.#seen?.revision === revision && clock.monotonic() - this.#seen.at >= DEAD_MS
      if (!stoodStill) {
        if (this.#seen?.revision !== revision) this.#seen = { revision, at: clock.monotonic() }
        return undefined
      }
    }
    // Before the end is read: what it holds is at least so old.
    const at = await this.#laterTime()
    const samples = memory.samples.with({ at, position: await store.end() })
    const turn: Turn = { revision, memory: { ...memory, samples, holder: this.#holder } }
    try {
      await this.#save(turn)
    } catch (error) {
      if (error instanceof TakenOver) return undefined
      throw error
    }
    return turn
  }

  async #release(turn: Turn): Promise<void> {
    turn.memory = { ...turn.memory, holder: undefined }
    await this.#save(turn).catch((error) => {
      if (!(error instanceof TakenOver)) throw error
    })
  }

  async #save(turn: Turn): Promise<void> {
    const saved = await this.#parts.store.retention.save(turn.revision, memoryToJson(turn.memory))
    if (!saved) throw new TakenOver('another process has taken over')
    turn.revision += 1
  }

  async #memory(): Promise<Memory> {
    const found = await this.#parts.store.retention.state()
    return found ? memoryFromJson(found.state) : NO_MEMORY
  }

  /** Where one of the two clocks is ahead nothing is taken for older than it is. */
  async #earlierTime(): Promise<number> {
    return Math.min(this.#parts.clock.now(), await this.#parts.store.retention.time())
  }

  async #laterTime(): Promise<number> {
    return Math.max(this.#parts.clock.now(), await this.#parts.store.retention.time())
  }

  /** Nothing goes before it is written down that it was there. */
  async #linked(turn: Turn, horizon: Horizon, signal: AbortSignal): Promise<Horizon> {
    const { store } = this.#parts
    if (!store.segments) return horizon
    const linked = await linkSegments(store, store.segments, horizon.position, signal, () => this.#save(turn))
    return { ...horizon, position: Math.min(horizon.position, linked) }
  }

  #logHeld({ heldBy }: Horizon): void {
    if (!heldBy || this.#isHeldLogged) return
    this.#isHeldLogged = true
    this.#parts.logger.warn(
      { event: 'retention_held', ...heldBy },
      `nothing above position ${heldBy.position} can be removed: the consumer ${heldBy.consumer} has not handled it`,
    )
  }
}

/** The turn of this process: what it goes on with, and the revision that it writes over. */
interface Turn {
  revision: number
  memory: Memory
}

type Page = NonNullable<Awaited<ReturnType<typeof judgeNext>>>

function upTo(memory: Memory, { position }: Horizon): Memory {
  return { ...memory, upTo: Math.max(memory.upTo, position) }
}

const BEGUN: NonNullable<Memory['walk']> = { at: 0, remaining: UNKNOWN }
