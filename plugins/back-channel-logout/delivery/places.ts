import { FIRST_PLACES, grown, shrunk } from './slow-start.ts'

/** How many requests each lane may have in flight, by how its RP did in this process. */
export class Places {
  readonly #byLane = new Map<string, number>()

  /** Lanes whose RP was asked. */
  known(): Iterable<string> {
    return this.#byLane.keys()
  }

  /** @param most - the limit of the policy */
  of(lane: string, most: number): number {
    return Math.min(most, this.#byLane.get(lane) ?? FIRST_PLACES)
  }

  /** How a request went. */
  came(lane: string, well: boolean, most: number): void {
    const before = this.of(lane, most)
    this.#byLane.set(lane, well ? grown(before, most) : shrunk(before))
  }
}
