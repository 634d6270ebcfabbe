import { RecentLanes } from './recent-lanes.ts'

/** How long after one recovery of an RP the next one counts, in milliseconds. */
export const AGAIN_AFTER_MS = 300_000

/** How an RP did. */
interface Known {
  readonly failed: boolean
  /** When it was back last. */
  readonly backAt?: number
}

/**
 * Tells when an RP is back: at its first confirmation after a failure, and at the first of all, since another process or
 * an earlier one may have met the failure. What the RP has missed is then due at once. An RP that fails and answers by
 * turns is back once in five minutes.
 */
export class Recoveries {
  readonly #known = new RecentLanes<Known>()

  failed(lane: string): void {
    this.#known.set(lane, { ...this.#known.get(lane), failed: true })
  }

  /** Whether this confirmation is a recovery. */
  confirmed(lane: string, now: number): boolean {
    const known = this.#known.get(lane)
    if (known?.failed === false) return false
    if (known?.backAt !== undefined && now - known.backAt < AGAIN_AFTER_MS) return false
    this.#known.set(lane, { failed: false, backAt: now })
    return true
  }
}
