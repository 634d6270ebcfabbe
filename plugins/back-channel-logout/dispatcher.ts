import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import {
  AlreadyClaimedError,
  type Clock,
  CommitInvalidError,
  CommitTooLargeError,
  type EventStore,
  type Logger,
  type NewCommit,
  type Work,
  type WorkTable,
} from '../../lib/index.ts'
import { alreadySettled } from './already-settled.ts'
import { type Attempt, type AttemptParts, attempt } from './attempt.ts'
import { Circuits, type Pass } from './circuits.ts'
import { type Delivery, fromBody, type Step, step, toBody } from './delivery.ts'
import type { DeliveryPolicy } from './delivery-policy.ts'
import { judge } from './judge.ts'
import { commitOfNobody, commitOfStep } from './outcome-events.ts'
import { lanePrefix } from './planner.ts'
import { Signs } from './signs-of-life.ts'

/** What the dispatcher works with. */
export interface DispatcherParts extends AttemptParts {
  readonly store: EventStore
  readonly work: WorkTable
  readonly policy: DeliveryPolicy
  readonly logger: Logger
  readonly clock: Clock
  /** Whether anything may be sent now. */
  readonly isOn: () => boolean
  /** From 0 up to 1. */
  readonly random: () => number
}

/** The longest nap, in milliseconds: other processes plan too, and gates open. */
const NAP_MS = 1_000

/** How long what is in flight may take once it is stopped, in milliseconds. */
const GRACE_MS = 10_000

/** When a delivery that failed in an unforeseen way is tried again, in milliseconds. */
const SET_ASIDE_MS = 60_000

/** Finished work is kept so long, in milliseconds, so that a late planner cannot make it again. */
const KEPT_MS = 24 * 3_600_000
const SWEEP_MS = 3_600_000

/**
 * Sends the logout tokens that are owed. Claims due deliveries, a few of each RP so that a slow one delays nobody else;
 * attempts each; records what came of it; and gives back what is to be tried again. The outcome is recorded before the
 * work is finished: killed in between, an RP is told twice, never not at all.
 */
export class Dispatcher {
  readonly #parts: DispatcherParts
  readonly #holder = randomBytes(9).toString('base64url')
  readonly #circuits = new Circuits()
  readonly #inFlight = new Map<Promise<void>, string>()
  readonly #stopping = new AbortController()
  readonly #hurry = new AbortController()
  readonly #signs: Signs
  #napping: AbortController | undefined
  #woken = false
  #running: Promise<void> | undefined
  #sweptAt = 0

  constructor(parts: DispatcherParts) {
    this.#parts = parts
    // Each delivery in flight listens: that is no leak.
    setMaxListeners(0, this.#stopping.signal, this.#hurry.signal)
    this.#signs = new Signs(parts.work, this.#holder, parts.clock, parts.logger)
  }

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

  /** Claims nothing more, lets what is in flight end, gives the rest to others. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.wake()
    await this.#running
    const timer = this.#parts.clock.setTimeout(() => this.#hurry.abort(), GRACE_MS)
    await Promise.all(this.#inFlight.keys())
    timer.cancel()
    await this.#signs.stop()
  }

  async #run(): Promise<void> {
    const { logger, clock } = this.#parts
    let failing = false
    while (!this.#stopping.signal.aborted) {
      this.#woken = false
      try {
        const claimed = await this.#claim()
        for (const work of claimed) this.#begin(work)
        await this.#sweep()
        failing = false
        if (claimed.length === 0) await this.#nap(await this.#pause())
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        if (!failing)
          logger.warn({ err: error }, 'deliveries of logout tokens cannot be read; the dispatcher goes on trying')
        failing = true
        await clock.sleep(NAP_MS, this.#stopping.signal)
      }
    }
  }

  async #claim(): Promise<Work[]> {
    const { work, policy, clock, isOn, provider } = this.#parts
    const limit = policy.concurrency - this.#inFlight.size
    if (limit <= 0 || !isOn()) return []
    return work.claim({
      holder: this.#holder,
      prefix: lanePrefix(provider.issuer),
      now: clock.now(),
      limit,
      perLane: policy.concurrencyPerClient,
      room: this.#room(),
    })
  }

  /** How many more each lane may take: less what is in flight, and what its circuit lets through. */
  #room(): Map<string, number> {
    const { policy, clock } = this.#parts
    const room = new Map<string, number>()
    for (const lane of this.#inFlight.values()) room.set(lane, (room.get(lane) ?? policy.concurrencyPerClient) - 1)
    for (const lane of this.#circuits.troubled()) {
      room.set(lane, this.#circuits.room(lane, room.get(lane) ?? policy.concurrencyPerClient, clock.monotonic()))
    }
    return room
  }

  #begin(work: Work): void {
    const sending = this.#deliver(work)
      .catch((error) => this.#setAside(work, error))
      .finally(() => {
        this.#inFlight.delete(sending)
        this.wake()
      })
    this.#inFlight.set(sending, work.lane)
  }

  async #deliver(work: Work): Promise<void> {
    const { policy, clock, random, provider, store } = this.#parts
    const delivery = fromBody(work.body)
    const pass = this.#circuits.pass(work.lane, clock.monotonic())
    if (!pass) {
      await this.#insist(() => this.#parts.work.putBack(work, work))
      return
    }
    if (await this.#insist(() => alreadySettled(store, work, delivery))) {
      this.#circuits.unasked(pass)
      await this.#insist(() => this.#parts.work.finish(work, clock.now()))
      return
    }
    const tried = await attempt(this.#parts, delivery, this.#hurry.signal)
    if (this.#hurry.signal.aborted) return // others take it over
    if (tried.kind === 'nobody') {
      this.#circuits.unasked(pass)
      await this.#record(commitOfNobody(work.id, delivery, tried, provider.issuer))
      await this.#insist(() => this.#parts.work.finish(work, clock.now()))
      this.#tellNobody(delivery, tried)
      return
    }
    const next = step(delivery, judge(tried.answer, clock.now()), policy, clock.now(), random())
    this.#watchCircuit(work.lane, pass, tried)
    await this.#record(commitOfStep(work.id, next, tried.tookMs, provider.issuer))
    await this.#insist(() =>
      next.kind === 'again'
        ? this.#parts.work.putBack(work, { dueAt: next.dueAt, body: toBody(next.delivery) })
        : this.#parts.work.finish(work, clock.now()),
    )
    this.#tell(work.id, next, tried.tookMs)
  }

  /** Something nobody foresaw must not keep a delivery in hand for as long as this process lives. */
  async #setAside(work: Work, error: unknown): Promise<void> {
    const { logger, clock } = this.#parts
    logger.error({ err: error, delivery: work.id }, 'a delivery failed in an unforeseen way; it will be tried again')
    await this.#parts.work
      .putBack(work, { dueAt: clock.now() + SET_ASIDE_MS, body: work.body })
      .catch((err) => logger.debug({ err, delivery: work.id }, 'a delivery could not be put back; others take it over'))
  }

  /** Another process may have settled it meanwhile: then that is how it is. */
  async #record(commit: NewCommit): Promise<void> {
    await this.#insist(async () => {
      try {
        await this.#parts.store.append(commit)
      } catch (error) {
        if (!(error instanceof AlreadyClaimedError)) throw error
      }
    })
  }

  /** What is known must be written down: goes on until the store takes it, or this process stops. */
  async #insist<T>(write: () => Promise<T>): Promise<T> {
    for (let tries = 0; ; tries++) {
      try {
        return await write()
      } catch (error) {
        if (this.#stopping.signal.aborted || isHopeless(error)) throw error
        if (tries === 0) this.#parts.logger.warn({ err: error }, 'the outcome of a delivery cannot be recorded yet')
        await this.#parts.clock.sleep(Math.min(5_000, 50 * 2 ** tries), this.#stopping.signal)
      }
    }
  }

  #watchCircuit(lane: string, pass: Pass, { answer, origin }: Extract<Attempt, { kind: 'tried' }>): void {
    const well = answer.kind === 'answered' && answer.status < 500 && answer.status !== 429
    const change = this.#circuits.came(lane, pass, origin, well, this.#parts.clock.monotonic())
    if (change === 'opened')
      this.#parts.logger.warn(
        { rp: origin },
        'an RP fails again and again: its deliveries wait, and one at a time probes it',
      )
    if (change === 'closed') this.#parts.logger.info({ rp: origin }, 'an RP is back: its deliveries go on')
  }

  /** Until the next delivery is due or a circuit may be probed. */
  async #pause(): Promise<number> {
    const { work, clock, isOn, provider } = this.#parts
    if (!isOn()) return NAP_MS
    const waits = [NAP_MS]
    const dueAt = await work.nextDueAt(lanePrefix(provider.issuer))
    if (dueAt !== undefined && dueAt > clock.now()) waits.push(dueAt - clock.now())
    const probeAt = this.#circuits.nextProbeAt(clock.monotonic())
    if (probeAt !== undefined) waits.push(probeAt - clock.monotonic())
    return Math.max(1, Math.min(...waits))
  }

  async #nap(ms: number): Promise<void> {
    if (this.#woken) return
    this.#napping = new AbortController()
    await this.#parts.clock.sleep(ms, this.#napping.signal)
    this.#napping = undefined
  }

  async #sweep(): Promise<void> {
    const { clock, work } = this.#parts
    if (clock.monotonic() - this.#sweptAt < SWEEP_MS && this.#sweptAt !== 0) return
    this.#sweptAt = clock.monotonic()
    await work.sweep(clock.now() - KEPT_MS)
  }

  #tell(id: string, next: Step, tookMs: number): void {
    const { logger } = this.#parts
    const { clientId, sessionUid, attempts } = next.delivery
    const fields = {
      session: sessionUid,
      client_id: clientId,
      delivery: id,
      attempt: attempts,
      took_ms: Math.round(tookMs),
    }
    const failure =
      'error' in next && next.error !== undefined ? next.error : `HTTP ${'status' in next ? next.status : '?'}`
    if (next.kind === 'confirmed') logger.info({ ...fields, status: next.status }, `${clientId} confirmed the logout`)
    else if (next.kind === 'rejected') {
      logger.warn({ ...fields, status: next.status }, `${clientId} refuses to be told of a logout`)
    } else if (next.kind === 'again') {
      const again = { ...fields, why: failure, next_attempt_at: new Date(next.dueAt).toISOString() }
      logger.warn(again, `${clientId} was not told of a logout; it will be tried again`)
    } else logger.error({ ...fields, why: failure }, `${clientId} could not be told of a logout: a dead letter`)
  }

  #tellNobody({ clientId, sessionUid }: Delivery, { why }: Extract<Attempt, { kind: 'nobody' }>): void {
    this.#parts.logger.warn(
      { session: sessionUid, client_id: clientId, why },
      `${clientId} cannot be told of a logout any more`,
    )
  }
}

/** Writing it again will not help: what is written is at fault, not the store. */
function isHopeless(error: unknown): boolean {
  return error instanceof CommitInvalidError || error instanceof CommitTooLargeError
}
