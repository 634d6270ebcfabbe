import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Work } from '../../../lib/index.ts'
import { inTime } from '../work/in-time.ts'
import { Signs } from '../work/signs-of-life.ts'
import { Circuits } from './circuits.ts'
import { Courier, type CourierParts } from './courier.ts'
import { policyFor } from './delivery-policy.ts'
import { Places } from './places.ts'
import { laneOf, lanePrefix } from './planner.ts'
import { FIRST_PLACES } from './slow-start.ts'

/** The longest nap, in milliseconds: other processes plan too, and gates open. */
const NAP_MS = 1_000

/** How long what is in flight may take once it is stopped, in milliseconds. */
const GRACE_MS = 10_000

/** How long stopping may take in all, in milliseconds: the grace, and a little for the store to take the work back. */
export const STOP_MS: number = GRACE_MS + 2_000

/** Finished work is kept so long, in milliseconds, so that a late planner cannot make it again. */
const KEPT_MS = 24 * 3_600_000
const SWEEP_MS = 3_600_000

/**
 * Sends the logout tokens that are owed: claims due deliveries, a few of each RP so that a slow one delays nobody else,
 * and hands each to the courier.
 */
export class Dispatcher {
  readonly #parts: CourierParts
  readonly #holder = randomBytes(9).toString('base64url')
  readonly #circuits = new Circuits()
  readonly #places = new Places()
  readonly #inFlight = new Map<Promise<void>, string>()
  readonly #stopping = new AbortController()
  readonly #hurry = new AbortController()
  readonly #courier: Courier
  readonly #signs: Signs
  #napping: AbortController | undefined
  #woken = false
  #running: Promise<void> | undefined
  #stopped: Promise<void> | undefined
  #sweptAt = 0

  constructor(parts: CourierParts) {
    this.#parts = parts
    // Each delivery in flight listens: that is no leak.
    setMaxListeners(0, this.#stopping.signal, this.#hurry.signal)
    this.#courier = new Courier(
      parts,
      { circuits: this.#circuits, places: this.#places },
      this.#stopping.signal,
      this.#hurry.signal,
    )
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

  /**
   * Claims nothing more, lets what is in flight end, gives the rest to others; within `STOP_MS`, whatever the database
   * does. Idempotent.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    const { clock, logger } = this.#parts
    this.#stopping.abort()
    this.wake()
    if (await inTime(this.#end(), clock, STOP_MS)) return
    this.#signs.fallSilent()
    const left = { in_flight: this.#inFlight.size }
    logger.warn(
      left,
      'the deliveries in hand could not be ended in time, the store does not answer; others take them over',
    )
  }

  async #end(): Promise<void> {
    const timer = this.#parts.clock.setTimeout(() => this.#hurry.abort(), GRACE_MS)
    await this.#running
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
        if (this.#stopping.signal.aborted) return await this.#putBack(claimed)
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
    const claimed = await work.claim({
      holder: this.#holder,
      prefix: lanePrefix(provider.issuer),
      now: clock.now(),
      limit,
      perLane: Math.min(FIRST_PLACES, policy.concurrencyPerClient),
      room: this.#room(),
    })
    if (isOn()) return claimed
    await this.#putBack(claimed) // the feature was switched off meanwhile
    return []
  }

  /** Others may believe this process to be gone by now, and would not look for what it holds. */
  async #putBack(claimed: readonly Work[]): Promise<void> {
    await Promise.all(claimed.map((work) => this.#parts.work.putBack(work, work)))
  }

  /** How many more each lane may take that is not as a new one is: its places, less what is in flight, if its circuit lets any through. */
  #room(): Map<string, number> {
    const { policy, provider, clock } = this.#parts
    const prefix = lanePrefix(provider.issuer)
    const taken = new Map<string, number>()
    for (const lane of this.#inFlight.values()) taken.set(lane, (taken.get(lane) ?? 0) + 1)
    const ownLimits = [...policy.clients.keys()].map((clientId) => laneOf(provider.issuer, clientId))
    const room = new Map<string, number>()
    for (const lane of new Set([...this.#places.known(), ...taken.keys(), ...ownLimits])) {
      const most = policyFor(policy, lane.slice(prefix.length)).concurrencyPerClient
      const free = this.#places.of(lane, most) - (taken.get(lane) ?? 0)
      room.set(lane, this.#circuits.room(lane, free, clock.monotonic()))
    }
    return room
  }

  #begin(work: Work): void {
    const sending = this.#courier.carry(work).finally(() => {
      this.#inFlight.delete(sending)
      this.wake()
    })
    this.#inFlight.set(sending, work.lane)
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
}
