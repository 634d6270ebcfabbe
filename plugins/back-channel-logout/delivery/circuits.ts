import { answered, type Circuit, CLOSED, failed, probesAt, released, room, sent } from './circuit-breaker.ts'
import type { CircuitPolicy } from './delivery-policy.ts'
import { RecentLanes } from './recent-lanes.ts'

/** The permission to send one request. */
export interface Permit {
  /** Whether the request probes an open circuit. */
  readonly probe: boolean
}

/**
 * What a request told about the RP: that it is there, that it is not, or nothing, since it never got that far. That is no
 * success of a probe.
 */
export type Sign = 'alive' | 'failed' | 'none'

/** The circuits of this process, one for each lane, which is to say for each client of the issuer. */
export class Circuits {
  /** Those that are not as a new one is: RPs may fail, and never be asked again. */
  readonly #byLane = new RecentLanes<Circuit>()

  /** How many more requests a lane may send. */
  room(lane: string, most: number, now: number): number {
    const allowed = room(this.#of(lane), now)
    return allowed === 'any' ? most : allowed === 'probe' ? Math.min(1, most) : 0
  }

  /** Asks for permission to send. Undefined: the circuit is open, or its probe is under way. */
  request(lane: string, now: number): Permit | undefined {
    const circuit = this.#of(lane)
    const allowed = room(circuit, now)
    if (allowed === 'none') return undefined
    if (allowed === 'probe') this.#byLane.set(lane, sent(circuit))
    return { probe: allowed === 'probe' }
  }

  recordResult(
    lane: string,
    { probe }: Permit,
    sign: Sign,
    policy: CircuitPolicy,
    now: number,
  ): 'opened' | 'closed' | undefined {
    if (sign === 'none' && !probe) return undefined
    const before = this.#of(lane)
    const after = sign === 'alive' ? answered() : failed(before, probe, policy, now)
    this.#set(lane, after)
    if ((before.open === undefined) === (after.open === undefined)) return undefined
    return after.open ? 'opened' : 'closed'
  }

  /** The request was not sent after all: another one may be the probe, at once. */
  release(lane: string, { probe }: Permit): void {
    if (probe) this.#set(lane, released(this.#of(lane)))
  }

  /** Forgets what is known of a lane: its next request is sent as if nothing had failed. */
  reset(lane: string): void {
    this.#byLane.delete(lane)
  }

  /** Lanes of which anything is known. */
  known(): Iterable<string> {
    return this.#byLane.keys()
  }

  /** Lanes whose circuit is open. */
  open(): string[] {
    return [...this.#byLane].filter(([, circuit]) => circuit.open !== undefined).map(([lane]) => lane)
  }

  /** When the next open circuit may be probed that may not yet, by the monotonic clock. */
  nextProbeAt(now: number): number | undefined {
    let next: number | undefined
    for (const circuit of this.#byLane.values()) {
      const time = probesAt(circuit)
      if (time !== undefined && time > now && (next === undefined || time < next)) next = time
    }
    return next
  }

  #of(lane: string): Circuit {
    return this.#byLane.get(lane) ?? CLOSED
  }

  #set(lane: string, circuit: Circuit): void {
    if (circuit.open === undefined && circuit.failures === 0) this.#byLane.delete(lane)
    else this.#byLane.set(lane, circuit)
  }
}
