import {
  AlreadyClaimedError,
  type Heartbeat,
  type Logger,
  type NewCommit,
  type Work,
  type WorkTable,
} from '../../../lib/index.ts'
import { insist } from '../work/insist.ts'
import { type Attempt, type AttemptParts, attempt } from './attempt.ts'
import type { Circuits, Pass } from './circuits.ts'
import { type Delivery, fromBody, step, toBody } from './delivery.ts'
import { tellOfStep, tellOfUnsent } from './delivery-lines.ts'
import { type ClientPolicy, policyFor } from './delivery-policy.ts'
import { judge } from './judge.ts'
import { type LogStanding, logStanding } from './log-standing.ts'
import { commitOfStep, commitOfUnsent } from './outcome-events.ts'
import type { Places } from './places.ts'

/** What the courier works with. */
export interface CourierParts extends AttemptParts {
  readonly work: WorkTable
  readonly logger: Logger
  /** Shows that the process lives. Default: one of its own. */
  readonly heartbeat?: Heartbeat
  /** From 0 up to 1. */
  readonly random: () => number
}

/** When a delivery that failed in an unforeseen way is tried again, in milliseconds. */
const SET_ASIDE_MS = 60_000

/**
 * Takes one claimed delivery through an attempt, and gives it back or finishes it. The outcome is recorded before the
 * work is finished: killed in between, an RP is told twice, never not at all.
 */
export class Courier {
  readonly #parts: CourierParts
  readonly #circuits: Circuits
  readonly #places: Places
  readonly #stopping: AbortSignal
  readonly #hurry: AbortSignal

  /**
   * @param stopping - aborts when the store is not to be insisted upon any more
   * @param hurry - aborts when attempts in flight are to end
   */
  constructor(
    parts: CourierParts,
    { circuits, places }: { readonly circuits: Circuits; readonly places: Places },
    stopping: AbortSignal,
    hurry: AbortSignal,
  ) {
    this.#parts = parts
    this.#circuits = circuits
    this.#places = places
    this.#stopping = stopping
    this.#hurry = hurry
  }

  /** Never rejects. */
  async carry(work: Work): Promise<void> {
    try {
      await this.#deliver(work)
    } catch (error) {
      await this.#setAside(work, error)
    }
  }

  async #deliver(work: Work): Promise<void> {
    const { clock, random, provider, logger } = this.#parts
    const delivery = fromBody(work.body)
    const pass = this.#circuits.pass(work.lane, clock.monotonic())
    if (!pass) {
      await this.#insist(() => this.#parts.work.putBack(work, work))
      return
    }
    const known = await this.#knownToTheLog(work, delivery, pass)
    if (known.kind !== 'nothing') {
      this.#circuits.unasked(pass)
      await this.#insist(() =>
        known.kind === 'settled'
          ? this.#parts.work.finish(work, clock.now())
          : this.#parts.work.putBack(work, { dueAt: known.dueAt, body: toBody(known.delivery) }),
      )
      return
    }
    const tried = await attempt(this.#parts, { id: work.id, delivery }, this.#hurry)
    if (this.#hurry.aborted) return // others take it over
    if (tried.kind === 'shut') {
      this.#circuits.unasked(pass)
      await this.#insist(() => this.#parts.work.putBack(work, work))
      return
    }
    if (tried.kind === 'notOwed') {
      this.#circuits.unasked(pass)
      await this.#insist(() => this.#parts.work.finish(work, clock.now()))
      return
    }
    if (tried.kind !== 'tried') {
      this.#circuits.unasked(pass)
      await this.#record(commitOfUnsent(work.id, delivery, tried, provider.issuer))
      await this.#insist(() => this.#parts.work.finish(work, clock.now()))
      tellOfUnsent(logger, work.id, delivery, tried)
      return
    }
    const policy = policyFor(this.#parts.policy, delivery.clientId)
    const judgement = judge(tried.answer, policy.retryAfterMostMs, clock.now())
    const next = step(delivery, judgement, policy, clock.now(), random())
    if (tried.absence === undefined) this.#learn(work.lane, pass, tried, policy)
    else this.#circuits.unasked(pass)
    await this.#record(commitOfStep(work.id, next, tried, provider.issuer))
    await this.#insist(() =>
      next.kind === 'again'
        ? this.#parts.work.putBack(work, { dueAt: next.dueAt, body: toBody(next.delivery) })
        : this.#parts.work.finish(work, clock.now()),
    )
    tellOfStep(logger, work.id, next, tried.tookMs)
  }

  async #knownToTheLog(work: Work, delivery: Delivery, pass: Pass): Promise<LogStanding> {
    try {
      return await this.#insist(() => logStanding(this.#parts.store, work, delivery))
    } catch (error) {
      this.#circuits.unasked(pass)
      throw error
    }
  }

  /** Something nobody foresaw must not keep a delivery in hand for as long as this process lives. */
  async #setAside(work: Work, error: unknown): Promise<void> {
    const { logger, clock } = this.#parts
    logger.error({ err: error, delivery: work.id }, 'a delivery failed in an unforeseen way; it will be tried again')
    await this.#insist(() =>
      this.#parts.work.putBack(work, { dueAt: clock.now() + SET_ASIDE_MS, body: work.body }),
    ).catch((err) => logger.warn({ err, delivery: work.id }, 'a delivery could not be put back; others take it over'))
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

  #insist<T>(write: () => Promise<T>): Promise<T> {
    return insist(write, this.#parts, this.#stopping)
  }

  /** What the attempt says about the RP, whatever it says about the delivery. */
  #learn(
    lane: string,
    pass: Pass,
    { answer, origin }: Extract<Attempt, { kind: 'tried' }>,
    { circuit, concurrencyPerClient }: ClientPolicy,
  ): void {
    const { logger, clock } = this.#parts
    const well = answer.kind === 'answered' && answer.status < 500 && answer.status !== 429
    if (origin !== undefined) this.#places.came(lane, well, concurrencyPerClient)
    const change = this.#circuits.came(lane, pass, { origin, well }, circuit, clock.monotonic())
    if (change === 'opened')
      logger.warn({ rp: origin }, 'an RP fails again and again: its deliveries wait, and one at a time probes it')
    if (change === 'closed') logger.info({ rp: origin }, 'an RP is back: its deliveries go on')
  }
}
