import { componentLogger, Heartbeat, type Work } from '../../../lib/index.ts'
import { laneOf, lanePrefix } from '../work/lanes.ts'
import { WorkLoop } from '../work/work-loop.ts'
import { DeliveryWorker, type DeliveryWorkerParts } from './delivery-worker.ts'
import { hasten, type RetryOptions } from './hasten.ts'
import { LanePlaces } from './lane-places.ts'
import { Traffic } from './traffic.ts'

/** While something is due that may not be claimed now it is tried so often, in milliseconds: gates and circuits open. */
const NAP_MS = 1_000

/**
 * So many times as many deliveries as requests may be in hand: others than those in flight wait for a place at their RP, or
 * are being recorded.
 */
const MOST_IN_HAND = 4

/** While fewer deliveries than this part of the requests wait for a place, more may be claimed than can be sent at once. */
const MAY_WAIT = 0.5

/** How often it looks for deliveries that are too old, in milliseconds. */
const OVERDUE_EVERY_MS = 60_000

/**
 * Sends the logout tokens that are owed: claims due deliveries, a few of each RP so that a slow one delays nobody else,
 * and hands each to the courier.
 */
export class Dispatcher {
  readonly #parts: DeliveryWorkerParts
  readonly #prefix: string
  readonly #traffic: Traffic
  readonly #places: LanePlaces
  readonly #loop: WorkLoop
  /** What is in hand, and whose RP has been asked. */
  readonly #recording = new WeakSet<Work>()
  /** Whether the last claim left something behind for want of room: what is due then, a place that is freed is for. */
  #isMoreLeft = false
  /** Whether the last claim took something: others may have been at it too, and what is due still is claimed at once. */
  #tookSome = false
  #lookedForOverdueAt: number | undefined

  constructor(given: DeliveryWorkerParts) {
    const parts = { ...given, logger: componentLogger(given.logger, 'dispatcher') }
    const { work, clock, logger, policy, provider, paused } = parts
    const { issuer } = provider
    this.#parts = parts
    this.#prefix = lanePrefix(issuer)
    this.#traffic = new Traffic({
      policy,
      laneOf: (clientId) => laneOf(issuer, clientId),
      clientOf: (lane) => lane.slice(this.#prefix.length),
      paused,
    })
    this.#places = new LanePlaces(policy.concurrency, (lane) => this.#traffic.placesOf(lane))
    this.#loop = new WorkLoop({
      work,
      clock,
      logger,
      heartbeat: parts.heartbeat ?? new Heartbeat(parts),
      called: 'deliveries of logout tokens',
      claims: [
        (holder, inHand) => this.#claimOverdue(holder, inHand.size),
        (holder, inHand) => this.#claimDue(holder, [...inHand.values()]),
      ],
      isDrained: () => !this.#isMoreLeft,
      mayClaimMore: () => this.#isMoreLeft,
      process: (delivery) => courier.process(delivery),
      pause: () => this.#pause(),
    })
    const { stopping, hurry } = this.#loop
    const turns = {
      places: this.#places,
      stopping,
      hurry,
      onAsked: (work: Work) => this.#asked(work),
      onDueSooner: () => this.wake(),
    }
    const courier = new DeliveryWorker(parts, this.#traffic, turns)
    stopping.addEventListener('abort', () => this.#places.turnAllAway(), { once: true })
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  /** There may be something to do. */
  wake(): void {
    this.#loop.wake()
  }

  /** Sends nothing more, and gives back what it does not get done in time. Idempotent. */
  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /**
   * Tries now what waits for this client, whatever its RP did before. What is due is sent while the rest is made due.
   *
   * @returns how many deliveries are due earlier by that
   */
  async retry(clientId: string, options: RetryOptions = {}): Promise<number> {
    const { provider, work } = this.#parts
    const lane = laneOf(provider.issuer, clientId)
    let isForgotten = false
    const sendDue = (): void => {
      if (!isForgotten) this.#traffic.forget(lane) // once: an RP that fails meanwhile opens its circuit again
      isForgotten = true
      this.wake()
    }
    const hastened = await hasten(work, lane, options, sendDue)
    if (!isForgotten) sendDue()
    return hastened
  }

  /** Clients whose circuit is open in this process. */
  openCircuits(): string[] {
    return this.#traffic.openCircuits()
  }

  /**
   * Deliveries that are too old are dead letters, though nobody claims from their lane, or the feature is off. Of many at
   * once half the room is left to the others.
   */
  async #claimOverdue(holder: string, inFlight: number): Promise<Work[]> {
    const { work, policy, clock } = this.#parts
    const limit = Math.ceil((policy.concurrency - inFlight) / 2)
    const last = this.#lookedForOverdueAt
    if (limit <= 0 || (last !== undefined && clock.monotonic() - last < OVERDUE_EVERY_MS)) return []
    const overdue = await work.claimOverdue({ holder, prefix: this.#prefix, now: await work.time(), limit })
    if (overdue.length < limit) this.#lookedForOverdueAt = clock.monotonic()
    return overdue
  }

  /** Its place is free for another one while what it came to is being recorded. */
  #asked(work: Work): void {
    this.#recording.add(work)
    if (this.#isMoreLeft) this.wake()
  }

  async #claimDue(holder: string, inHand: readonly Work[]): Promise<Work[]> {
    const { work, policy, clock, isOn } = this.#parts
    const toAsk = inHand.filter((one) => !this.#recording.has(one))
    const ahead = Math.max(0, MAY_WAIT * policy.concurrency - this.#places.waiting)
    const free = policy.concurrency - (toAsk.length - this.#places.waiting) + Math.floor(ahead)
    const limit = Math.min(free, MOST_IN_HAND * policy.concurrency - inHand.length)
    this.#isMoreLeft = true
    this.#tookSome = false
    if (limit <= 0 || !isOn()) return []
    const perLane = this.#traffic.roomOfNew
    const freeSlots = this.#traffic.freeSlots(
      toAsk.map(({ lane }) => lane),
      clock.monotonic(),
    )
    const now = await work.time()
    const claimed = await work.claim({ holder, prefix: this.#prefix, now, limit, perLane, freeSlots })
    this.#tookSome = claimed.length > 0
    this.#isMoreLeft = claimed.length >= limit || isAnyFull(freeSlots, perLane, claimed)
    if (isOn()) return claimed
    this.#loop.giveBack(claimed) // the feature was switched off meanwhile
    return []
  }

  /** Until the next delivery is due or an RP may be asked again. */
  async #pause(): Promise<number> {
    const { work, clock, isOn } = this.#parts
    if (!isOn()) return NAP_MS
    const monotonic = clock.monotonic()
    const waits = [OVERDUE_EVERY_MS + (this.#lookedForOverdueAt ?? monotonic - OVERDUE_EVERY_MS) - monotonic]
    const dueAt = await work.nextDueAt(this.#prefix)
    const now = await work.time()
    if (dueAt !== undefined) waits.push(dueAt > now ? dueAt - now : this.#tookSome ? 1 : NAP_MS)
    const roomAt = this.#traffic.nextRoomAt(monotonic)
    if (roomAt !== undefined) waits.push(roomAt - monotonic)
    return Math.max(1, Math.min(...waits))
  }
}

/** Whether a lane has no room left beside what was claimed. */
function isAnyFull(freeSlots: ReadonlyMap<string, number>, perLane: number, claimed: readonly Work[]): boolean {
  const room = new Map(freeSlots)
  for (const { lane } of claimed) room.set(lane, (room.get(lane) ?? perLane) - 1)
  return [...room.values()].some((left) => left <= 0)
}
