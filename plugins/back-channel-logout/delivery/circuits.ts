import { answered, type Circuit, CLOSED, failed, probesAt, released, room, sent } from './circuit-breaker.ts'
import type { CircuitPolicy } from './delivery-policy.ts'

/** The leave to send a request. */
export interface Pass {
  /** The origin whose open circuit the request probes. */
  readonly probes?: string
}

/** How a request went. */
export interface Outcome {
  /** Where it went; unknown when it never got that far, which says nothing about the RP, but is no success of a probe. */
  readonly origin: string | undefined
  /** Whether the RP answered, and not only to say that it cannot. */
  readonly well: boolean
}

/** The circuits of this process, by RP origin, and which lane leads where. */
export class Circuits {
  readonly #byOrigin = new Map<string, Circuit>()
  readonly #originOf = new Map<string, string>()

  /** How many more requests a lane may send. */
  room(lane: string, most: number, now: number): number {
    const allowed = room(this.#of(lane), now)
    return allowed === 'any' ? most : allowed === 'probe' ? Math.min(1, most) : 0
  }

  /** Asks for leave to send. Undefined: another lane leads to the same RP, and its request is the probe. */
  pass(lane: string, now: number): Pass | undefined {
    const circuit = this.#of(lane)
    const allowed = room(circuit, now)
    if (allowed === 'any') return {}
    const origin = this.#originOf.get(lane)
    if (allowed === 'none' || origin === undefined) return undefined
    this.#byOrigin.set(origin, sent(circuit))
    return { probes: origin }
  }

  /** @param policy - that of the lane's client: it decides, where several clients share a circuit */
  came(
    lane: string,
    { probes }: Pass,
    { origin, well }: Outcome,
    policy: CircuitPolicy,
    now: number,
  ): 'opened' | 'closed' | undefined {
    if (origin !== undefined) this.#originOf.set(lane, origin)
    if (probes !== undefined && origin !== undefined && probes !== origin) this.unasked({ probes })
    const judged = origin ?? probes
    if (judged === undefined) return undefined
    const before = this.#byOrigin.get(judged) ?? CLOSED
    const after = well ? answered() : failed(before, judged === probes, policy, now)
    this.#byOrigin.set(judged, after)
    if ((before.open === undefined) === (after.open === undefined)) return undefined
    return after.open ? 'opened' : 'closed'
  }

  /** The RP was not asked after all: another request may be the probe, at once. */
  unasked({ probes }: Pass): void {
    const circuit = probes === undefined ? undefined : this.#byOrigin.get(probes)
    if (probes !== undefined && circuit) this.#byOrigin.set(probes, released(circuit))
  }

  /** When the next open circuit may be probed that may not yet, by the monotonic clock. */
  nextProbeAt(now: number): number | undefined {
    const times = [...this.#byOrigin.values()]
      .map(probesAt)
      .filter((time) => time !== undefined)
      .filter((time) => time > now)
    return times.length > 0 ? Math.min(...times) : undefined
  }

  #of(lane: string): Circuit {
    const origin = this.#originOf.get(lane)
    return (origin !== undefined && this.#byOrigin.get(origin)) || CLOSED
  }
}
