import { FIRST_PLACES, grown, shrunk } from './slow-start.ts'

/** How long a lane is remembered that nothing was sent to, in milliseconds; then it begins anew. */
const REMEMBERED_MS = 60_000

/** How many requests each lane may have in flight, by how its RP did in this process. */
export class ConcurrencyLimits {
  readonly #byLane = new Map<string, { readonly places: number; readonly at: number }>()

  /** Lanes whose RP was asked of late. Forgets the others, so that it holds no more than are busy. */
  known(now: number): Iterable<string> {
    for (const [lane, { at }] of this.#byLane) if (now - at >= REMEMBERED_MS) this.#byLane.delete(lane)
    return this.#byLane.keys()
  }

  /** @param most - the limit of the policy */
  of(lane: string, most: number): number {
    return Math.min(most, this.#byLane.get(lane)?.places ?? FIRST_PLACES)
  }

  /** How a request went. */
  recordResult(lane: string, succeeded: boolean, most: number, now: number): void {
    const before = this.of(lane, most)
    this.#byLane.set(lane, { places: succeeded ? grown(before, most) : shrunk(before), at: now })
  }
}
