import {
  AlreadyClaimedError,
  type Heartbeat,
  type Logger,
  type NewCommit,
  noTelemetry,
  type Span,
  type Telemetry,
  type Work,
  type WorkTable,
} from '../../../lib/index.ts'
import { retryUntilStored } from '../work/retry-until-stored.ts'
import { type Attempt, type AttemptParts, attempt } from './attempt.ts'
import type { Permit } from './circuits.ts'
import { classifyResponse, type ResponseVerdict, showsLife } from './classify-response.ts'
import { type Delivery, fromBody, isEarly, MOST_EARLY, type Step, step, toBody } from './delivery.ts'
import { logExpiry, logOutcome, logUnsent } from './delivery-lines.ts'
import { DeliveryMeasures } from './delivery-measures.ts'
import { policyFor } from './delivery-policy.ts'
import type { LanePlaces } from './lane-places.ts'
import { commitOfExpiry, commitOfStep, commitOfUnsent } from './outcome-events.ts'
import { announceOutcome } from './provider-events.ts'
import { recordedState } from './recorded-state.ts'
import { PATIENCE_MS, type Traffic } from './traffic.ts'

/** What the courier works with. */
export interface DeliveryWorkerParts extends AttemptParts {
  readonly work: WorkTable
  readonly logger: Logger
  /** Shows that the process lives. Default: one of its own. */
  readonly heartbeat?: Heartbeat
  /** From 0 up to 1. */
  readonly random: () => number
  /** Default: nothing is measured. */
  readonly telemetry?: Telemetry
  /** The clients of the provider's configuration. Default: none. */
  readonly configured?: readonly string[]
}

/** When the courier may go on, and when it is to end. */
export interface DeliveryWorkerTurns {
  /** Who may send a request now. */
  readonly places: LanePlaces
  /** Aborts when the store is not to be insisted upon any more. */
  readonly stopping: AbortSignal
  /** Aborts when attempts in flight are to end. */
  readonly hurry: AbortSignal
  /** Called when the RP has been asked: what is left of the delivery is to record that. */
  readonly onAsked: (work: Work) => void
  /** Called when a delivery may be due sooner than what waited before: it was given back, or hastened. */
  readonly onDueSooner: () => void
}

/** When a delivery that failed in an unforeseen way is tried again, in milliseconds. */
const SET_ASIDE_MS = 60_000

/** The due time of what an operator wants to be tried, whatever its schedule says. */
export const AT_ONCE = 0

/**
 * Takes one claimed delivery through an attempt, and gives it back or finishes it. The outcome is recorded before the
 * work is finished: killed in between, an RP is told twice, never not at all. Times are those of the work table, which
 * all processes share.
 */
export class DeliveryWorker {
  readonly #parts: DeliveryWorkerParts
  readonly #traffic: Traffic
  readonly #turns: DeliveryWorkerTurns
  readonly #measures: DeliveryMeasures

  constructor(parts: DeliveryWorkerParts, traffic: Traffic, turns: DeliveryWorkerTurns) {
    this.#parts = parts
    this.#traffic = traffic
    this.#turns = turns
    this.#measures = new DeliveryMeasures(parts.telemetry ?? noTelemetry, parts.provider.issuer, parts.configured)
  }

  /** Rejects where the store takes it neither as done nor back. */
  async process(work: Work): Promise<void> {
    try {
      await this.#deliver(work)
    } catch (error) {
      await this.#setAside(work, error)
    }
  }

  async #deliver(work: Work): Promise<void> {
    const { store, clock } = this.#parts
    const delivery = fromBody(work.body)
    const recorded = await this.#retryUntilStored(() => recordedState(store, work, delivery))
    if (recorded.kind === 'settled') return this.#finish(work)
    if (recorded.kind === 'failed') return this.#giveBack(work, recorded.delivery, recorded.dueAt)
    const now = await this.#now()
    if (work.deadline !== undefined && now >= work.deadline) return this.#expire(work, delivery)
    if (isTooEarly(work, delivery, now)) return this.#giveBack(work, delivery, delivery.scheduledFor ?? now)
    const place = await this.#turns.places.enter(work.lane)
    if (this.#turns.hurry.aborted) return // others take it over
    const permit = place && this.#traffic.request(work.lane, clock.monotonic())
    const leave = (): void => {
      place?.leave()
      this.#turns.onAsked(work)
    }
    try {
      if (permit) await this.#measures.attempt(work, delivery, (span) => this.#try(work, delivery, permit, leave, span))
      else await this.#giveBack(work, delivery, work.dueAt)
    } finally {
      place?.leave()
    }
  }

  /** @param leave - gives the place at the RP to the next one */
  async #try(work: Work, delivery: Delivery, permit: Permit, leave: () => void, span: Span): Promise<void> {
    const origins = {
      enter: (origin: string) => this.#traffic.enter(work.lane, origin),
      leave: (origin: string) => this.#traffic.leave(origin),
    }
    const tried = await attempt(this.#parts, { id: work.id, delivery }, origins, this.#turns.hurry)
    if (this.#turns.hurry.aborted) return this.#measures.notSent(span, 'handed_over')
    if (tried.kind === 'tried') return this.#settle(work, delivery, permit, tried, leave, span)
    this.#traffic.release(work.lane, permit)
    if (tried.kind === 'notOwed' || tried.kind === 'notNow') {
      const isOwed = tried.kind === 'notNow'
      this.#measures.notSent(span, isOwed ? 'not_now' : 'not_owed')
      return isOwed ? this.#giveBack(work, delivery, work.dueAt) : this.#finish(work)
    }
    const { provider, logger } = this.#parts
    await this.#record(commitOfUnsent(work.id, delivery, tried, provider.issuer))
    await this.#finish(work)
    this.#measures.ended(delivery, tried.kind === 'superseded' ? 'superseded' : 'no_recipient', span)
    logUnsent(logger, work.id, delivery, tried)
  }

  /** What follows from an attempt, for the RP and for the delivery. */
  async #settle(
    work: Work,
    delivery: Delivery,
    permit: Permit,
    tried: Extract<Attempt, { kind: 'tried' }>,
    leave: () => void,
    span: Span,
  ): Promise<void> {
    const { provider, logger } = this.#parts
    const { now, judgement, next } = await this.#classified(delivery, tried).catch((error) => {
      this.#traffic.release(work.lane, permit) // what cannot be classified says nothing of the RP
      throw error
    })
    const recovered = this.#learn(work.lane, permit, tried, judgement)
    leave()
    this.#measures.tried(span, delivery, tried, next)
    await this.#record(commitOfStep(work.id, next, tried, provider.issuer))
    if (next.kind === 'again') await this.#giveBack(work, next.delivery, next.dueAt)
    else {
      await this.#finish(work)
      if (next.kind === 'confirmed') this.#measures.confirmed(next.delivery, now)
      else this.#measures.ended(next.delivery, next.kind)
    }
    logOutcome(logger, work.id, next, tried.tookMs)
    announceOutcome(this.#parts, next, tried)
    if (recovered) await this.#catchUp(work.lane, delivery.clientId, now)
  }

  /** Rejects with what a deployment's own network makes of an answer that is none. */
  async #classified(
    delivery: Delivery,
    { answer }: Extract<Attempt, { kind: 'tried' }>,
  ): Promise<{ readonly now: number; readonly judgement: ResponseVerdict; readonly next: Step }> {
    const policy = policyFor(this.#parts.policy, delivery.clientId)
    const now = await this.#now()
    const judgement = classifyResponse(answer, policy, now)
    return { now, judgement, next: step(delivery, judgement, policy, now, this.#parts.random()) }
  }

  /** The RP answers well: what it has missed is due now. How much of it is sent at a time, slow start decides. */
  async #catchUp(lane: string, clientId: string, now: number): Promise<void> {
    const signal = this.#turns.hurry // what is left then keeps its own times
    const hastened = await this.#retryUntilStored(() => this.#parts.work.hasten(lane, now, { signal }))
    this.#turns.onDueSooner() // also where the answer of an earlier try was lost
    if (hastened > 0) {
      this.#parts.logger.info(
        { event: 'rp_catches_up', client_id: clientId, deliveries: hastened },
        `${clientId} answers again: what it has missed is sent now`,
      )
    }
  }

  async #expire(work: Work, delivery: Delivery): Promise<void> {
    const { provider, logger } = this.#parts
    await this.#record(commitOfExpiry(work.id, delivery, provider.issuer))
    await this.#finish(work)
    this.#measures.ended(delivery, 'expired')
    logExpiry(logger, work.id, delivery)
  }

  /** Something nobody foresaw must not keep a delivery in hand. Rejects where the store does not take it back. */
  async #setAside(work: Work, error: unknown): Promise<void> {
    const { logger } = this.#parts
    logger.error(
      { event: 'delivery_set_aside', err: error, delivery: work.id },
      'a delivery failed in an unforeseen way; it will be tried again',
    )
    await this.#retryUntilStored(async () => {
      const dueAt = (await this.#parts.work.time()) + SET_ASIDE_MS
      return this.#parts.work.putBack(work, { dueAt, body: work.body })
    })
    this.#turns.onDueSooner()
  }

  async #giveBack(work: Work, delivery: Delivery, dueAt: number): Promise<void> {
    const body = toBody({ ...delivery, fence: work.fence })
    await this.#retryUntilStored(() => this.#parts.work.putBack(work, { dueAt, body }))
    this.#turns.onDueSooner()
  }

  async #finish(work: Work): Promise<void> {
    await this.#retryUntilStored(async () => this.#parts.work.finish(work, await this.#parts.work.time()))
  }

  #now(): Promise<number> {
    return this.#retryUntilStored(() => this.#parts.work.time())
  }

  /** Another process may have settled it meanwhile: then that is how it is. */
  async #record(commit: NewCommit): Promise<void> {
    await this.#retryUntilStored(async () => {
      try {
        await this.#parts.store.append(commit)
      } catch (error) {
        if (!(error instanceof AlreadyClaimedError)) throw error
      }
    })
  }

  #retryUntilStored<T>(write: () => Promise<T>): Promise<T> {
    return retryUntilStored(write, this.#parts, this.#turns.stopping)
  }

  /**
   * What the attempt says about the RP, whatever it says about the delivery.
   *
   * @returns whether the RP is back
   */
  #learn(
    lane: string,
    permit: Permit,
    { answer, origin, absence, tookMs }: Extract<Attempt, { kind: 'tried' }>,
    judgement: ResponseVerdict,
  ): boolean {
    const { logger, clock } = this.#parts
    if (absence !== undefined) {
      this.#traffic.release(lane, permit)
      return false
    }
    const alive = showsLife(answer, judgement)
    const result = {
      sign: origin === undefined ? 'none' : alive ? 'alive' : 'failed',
      ...(origin !== undefined && { tookWell: alive && !(answer.kind === 'answered' && answer.status === 429) }),
      confirmed: judgement.verdict === 'confirmed',
      ...(judgement.verdict === 'again' && { retryAfterMs: judgement.retryAfterMs }),
      tookMs,
    } as const
    // What waits for an RP that fails or is slow is given back: other processes may have places for it.
    if (!result.tookWell || tookMs > PATIENCE_MS) this.#turns.places.turnAway(lane)
    const { circuit, recovered } = this.#traffic.recordResult(lane, permit, result, clock.monotonic())
    if (circuit === 'opened')
      logger.warn(
        { event: 'circuit_opened', rp: origin },
        'an RP fails again and again: its deliveries wait, and one at a time probes it',
      )
    if (circuit === 'closed')
      logger.info({ event: 'circuit_closed', rp: origin }, 'an RP is back: its deliveries go on')
    return recovered
  }
}

/** Whether the delivery has had as many attempts before its time as it may have, and no operator asks for this one. */
function isTooEarly({ dueAt }: Work, delivery: Delivery, now: number): boolean {
  return dueAt !== AT_ONCE && isEarly(delivery, now) && (delivery.early ?? 0) >= MOST_EARLY
}
