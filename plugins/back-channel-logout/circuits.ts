import { answered, type Circuit, CLOSED, failed, probesAt, room, sent } from './circuit-breaker.ts'

/** The circuits of this process, by RP origin, and which lane leads where. */
export class Circuits {
  readonly #byOrigin = new Map<string, Circuit>()
  readonly #originOf = new Map<string, string>()

  /** How many more requests a lane may send. */
  room(lane: string, most: number, now: number): number {
    const allowed = room(this.#of(lane), now)
    return allowed === 'any' ? most : allowed === 'probe' ? Math.min(1, most) : 0
  }

  sending(lane: string): void {
    const origin = this.#originOf.get(lane)
    if (origin !== undefined) this.#byOrigin.set(origin, sent(this.#of(lane)))
  }

  /** @param origin - where the request went; unknown when it never got that far, which says nothing about the RP */
  came(lane: string, origin: string | undefined, well: boolean, now: number): 'opened' | 'closed' | undefined {
    if (origin === undefined) return undefined
    this.#originOf.set(lane, origin)
    const before = this.#byOrigin.get(origin) ?? CLOSED
    const after = well ? answered() : failed(before, now)
    this.#byOrigin.set(origin, after)
    const [wasOpen, isOpen] = [before, after].map((circuit) => circuit.openUntil !== undefined)
    if (wasOpen === isOpen) return undefined
    return isOpen ? 'opened' : 'closed'
  }

  /** Lanes whose circuit is not closed. */
  *troubled(): Iterable<string> {
    for (const [lane, origin] of this.#originOf) {
      if (this.#byOrigin.get(origin)?.openUntil !== undefined) yield lane
    }
  }

  /** When the first open circuit may be probed, by the monotonic clock. */
  nextProbeAt(): number | undefined {
    const times = [...this.#byOrigin.values()].map(probesAt).filter((time) => time !== undefined)
    return times.length > 0 ? Math.min(...times) : undefined
  }

  #of(lane: string): Circuit {
    const origin = this.#originOf.get(lane)
    return (origin !== undefined && this.#byOrigin.get(origin)) || CLOSED
  }
}
