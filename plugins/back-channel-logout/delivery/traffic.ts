import { Circuits, type Permit, type Sign } from './circuits.ts'
import { ConcurrencyLimits } from './concurrency-limits.ts'
import { type DeliveryPolicy, policyFor } from './delivery-policy.ts'
import { Holds } from './holds.ts'
import { OriginLimits } from './origin-limits.ts'
import { RecentLanes } from './recent-lanes.ts'
import { Recoveries } from './recoveries.ts'
import { FIRST_PLACES } from './slow-start.ts'

/** What traffic is shaped by. */
export interface TrafficParts {
  readonly policy: DeliveryPolicy
  /** The client whose lane it is. */
  readonly clientOf: (lane: string) => string
  readonly laneOf: (clientId: string) => string
  /** Clients to which operators have nothing sent for now. */
  readonly paused: () => Iterable<string>
}

/** What a request told about its RP. */
export interface Result {
  readonly sign: Sign
  /** Whether the RP took it well, so that it may have more requests at a time. Absent: it was not asked. */
  readonly tookWell?: boolean
  readonly confirmed: boolean
  /** For how long it wants to be left alone, in milliseconds. */
  readonly retryAfterMs?: number
  /** How long the request took, in milliseconds. */
  readonly tookMs?: number
}

/**
 * Of an RP that does well, which has all its places, up to so many times as many deliveries are in hand and wait for one: as
 * many as get a place within `PATIENCE_MS`.
 */
const AHEAD = 6

/** What is in hand waits for its RP for about so long at most, in milliseconds: other processes may have places for it. */
export const PATIENCE_MS = 1_000

/** What this process knows of each RP, by lane, and how many requests it may have. Times are monotonic. */
export class Traffic {
  readonly #parts: TrafficParts
  readonly #circuits = new Circuits()
  readonly #places = new ConcurrencyLimits()
  readonly #holds = new Holds()
  readonly #recoveries = new Recoveries()
  /** How long the RP's last answer took, in milliseconds. */
  readonly #answerMs = new RecentLanes<number>()
  readonly #origins: OriginLimits

  constructor(parts: TrafficParts) {
    this.#parts = parts
    this.#origins = new OriginLimits(parts.policy.concurrencyPerOrigin)
  }

  /**
   * How many more deliveries may be in hand of each lane that is not as a new one is: its places, and some that wait for one
   * where its RP does well, less what is in hand; if its circuit lets any through, its origin has room, it has not asked to
   * be left alone, and no operator has paused it.
   *
   * @param inHand - the lane of each delivery in hand whose RP has not been asked yet
   */
  freeSlots(inHand: Iterable<string>, now: number): Map<string, number> {
    const { policy, laneOf, paused } = this.#parts
    const taken = new Map<string, number>()
    for (const lane of inHand) taken.set(lane, (taken.get(lane) ?? 0) + 1)
    const limits = [...policy.clients.keys()].map(laneOf)
    const lanes = new Set([...this.#places.known(now), ...this.#circuits.known(), ...taken.keys(), ...limits])
    for (const lane of this.#origins.known()) lanes.add(lane)
    const room = new Map<string, number>()
    for (const lane of lanes) room.set(lane, this.#roomOf(lane, taken.get(lane) ?? 0, now))
    for (const lane of [...this.#holds.known()]) if (this.#holds.isHeld(lane, now)) room.set(lane, 0)
    for (const clientId of paused()) room.set(laneOf(clientId), 0)
    return room
  }

  /** How many requests may be in flight to the RP. */
  placesOf(lane: string): number {
    return this.#places.of(lane, policyFor(this.#parts.policy, this.#parts.clientOf(lane)).concurrencyPerClient)
  }

  /** The room of a lane of which nothing is known. */
  get roomOfNew(): number {
    return Math.min(FIRST_PLACES, this.#parts.policy.concurrencyPerClient)
  }

  /** Asks for permission to send. Undefined: not now. */
  request(lane: string, now: number): Permit | undefined {
    return this.#holds.isHeld(lane, now) ? undefined : this.#circuits.request(lane, now)
  }

  /** The request was not sent after all. */
  release(lane: string, permit: Permit): void {
    this.#circuits.release(lane, permit)
  }

  /** Takes a place at the origin. False: as many requests as may be are in flight to it. */
  enter(lane: string, origin: string): boolean {
    return this.#origins.enter(lane, origin)
  }

  leave(origin: string): void {
    this.#origins.leave(origin)
  }

  recordResult(
    lane: string,
    permit: Permit,
    { sign, tookWell, confirmed, retryAfterMs, tookMs }: Result,
    now: number,
  ): { readonly circuit: 'opened' | 'closed' | undefined; readonly recovered: boolean } {
    const { circuit: policy, concurrencyPerClient } = policyFor(this.#parts.policy, this.#parts.clientOf(lane))
    if (tookWell !== undefined) this.#places.recordResult(lane, tookWell, concurrencyPerClient, now)
    if (tookMs !== undefined) this.#answerMs.set(lane, tookMs)
    if (retryAfterMs !== undefined) this.#holds.hold(lane, now + retryAfterMs)
    if (!confirmed) this.#recoveries.failed(lane)
    const circuit = this.#circuits.recordResult(lane, permit, sign, policy, now)
    return { circuit, recovered: confirmed && this.#recoveries.confirmed(lane, now) }
  }

  /** An operator wants the RP to be tried now, whatever it did before. */
  forget(lane: string): void {
    this.#circuits.reset(lane)
    this.#holds.release(lane)
  }

  /** Clients whose circuit is open in this process. */
  openCircuits(): string[] {
    return this.#circuits.open().map(this.#parts.clientOf)
  }

  /** When a lane may have requests that may not now, for other reasons than those in flight; undefined: none. */
  nextRoomAt(now: number): number | undefined {
    const times = [this.#circuits.nextProbeAt(now), this.#holds.nextEndAt(now)].filter((time) => time !== undefined)
    return times.length > 0 ? Math.min(...times) : undefined
  }

  #roomOf(lane: string, taken: number, now: number): number {
    const { concurrencyPerClient } = policyFor(this.#parts.policy, this.#parts.clientOf(lane))
    const places = this.#places.of(lane, concurrencyPerClient)
    const rounds = Math.min(AHEAD, Math.floor(PATIENCE_MS / Math.max(1, this.#answerMs.get(lane) ?? PATIENCE_MS)))
    const ahead = places < concurrencyPerClient ? 0 : rounds * places
    const free = Math.min(places + ahead - taken, this.#origins.freeSlots(lane))
    return this.#circuits.room(lane, Math.max(0, free), now)
  }
}
