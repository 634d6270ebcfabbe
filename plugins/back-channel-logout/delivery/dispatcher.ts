import { Heartbeat, type Work } from '../../../lib/index.ts'
import { laneOf, lanePrefix } from '../work/lanes.ts'
import { putBackAll, WorkLoop } from '../work/work-loop.ts'
import { Circuits } from './circuits.ts'
import { Courier, type CourierParts } from './courier.ts'
import { policyFor } from './delivery-policy.ts'
import { Places } from './places.ts'
import { FIRST_PLACES } from './slow-start.ts'

/** While something is due that may not be claimed now it is tried so often, in milliseconds: gates and circuits open. */
const NAP_MS = 1_000

/**
 * Sends the logout tokens that are owed: claims due deliveries, a few of each RP so that a slow one delays nobody else,
 * and hands each to the courier.
 */
export class Dispatcher {
  readonly #parts: CourierParts
  readonly #circuits = new Circuits()
  readonly #places = new Places()
  readonly #loop: WorkLoop

  constructor(parts: CourierParts) {
    const { work, clock, logger } = parts
    this.#parts = parts
    this.#loop = new WorkLoop({
      work,
      clock,
      logger,
      heartbeat: parts.heartbeat ?? new Heartbeat(parts),
      called: 'deliveries of logout tokens',
      claim: (holder, inHand) => this.#claim(holder, [...inHand.values()]),
      carry: (delivery) => courier.carry(delivery),
      pause: () => this.#pause(),
    })
    const known = { circuits: this.#circuits, places: this.#places }
    const courier = new Courier(parts, known, this.#loop.stopping, this.#loop.hurry)
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

  async #claim(holder: string, inFlight: readonly Work[]): Promise<Work[]> {
    const { work, policy, clock, isOn, provider } = this.#parts
    const limit = policy.concurrency - inFlight.length
    if (limit <= 0 || !isOn()) return []
    const claimed = await work.claim({
      holder,
      prefix: lanePrefix(provider.issuer),
      now: clock.now(),
      limit,
      perLane: Math.min(FIRST_PLACES, policy.concurrencyPerClient),
      room: this.#room(inFlight),
    })
    if (isOn()) return claimed
    await putBackAll(work, claimed) // the feature was switched off meanwhile
    return []
  }

  /** How many more each lane may take that is not as a new one is: its places, less what is in flight, if its circuit lets any through. */
  #room(inFlight: readonly Work[]): Map<string, number> {
    const { policy, provider, clock } = this.#parts
    const prefix = lanePrefix(provider.issuer)
    const taken = new Map<string, number>()
    for (const { lane } of inFlight) taken.set(lane, (taken.get(lane) ?? 0) + 1)
    const ownLimits = [...policy.clients.keys()].map((clientId) => laneOf(provider.issuer, clientId))
    const room = new Map<string, number>()
    for (const lane of new Set([...this.#places.known(), ...taken.keys(), ...ownLimits])) {
      const most = policyFor(policy, lane.slice(prefix.length)).concurrencyPerClient
      const free = this.#places.of(lane, most) - (taken.get(lane) ?? 0)
      room.set(lane, this.#circuits.room(lane, free, clock.monotonic()))
    }
    return room
  }

  /** Until the next delivery is due or a circuit may be probed. */
  async #pause(): Promise<number> {
    const { work, clock, isOn, provider } = this.#parts
    if (!isOn()) return NAP_MS
    const waits: number[] = []
    const dueAt = await work.nextDueAt(lanePrefix(provider.issuer))
    if (dueAt !== undefined) waits.push(dueAt > clock.now() ? dueAt - clock.now() : NAP_MS)
    const probeAt = this.#circuits.nextProbeAt(clock.monotonic())
    if (probeAt !== undefined) waits.push(probeAt - clock.monotonic())
    return Math.max(1, Math.min(...waits))
  }
}
