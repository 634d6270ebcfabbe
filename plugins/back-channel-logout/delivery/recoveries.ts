/** How long after one recovery of an RP the next one counts, in milliseconds. */
export const AGAIN_AFTER_MS = 300_000

/**
 * Tells when an RP is back: at its first confirmation after a failure, and at the first of all, since another process or
 * an earlier one may have met the failure. What the RP has missed is then due at once. An RP that fails and answers by
 * turns is back once in five minutes.
 */
export class Recoveries {
  readonly #failed = new Map<string, boolean>()
  readonly #at = new Map<string, number>()

  failed(lane: string): void {
    this.#failed.set(lane, true)
  }

  /** Whether this confirmation is a recovery. */
  confirmed(lane: string, now: number): boolean {
    if (this.#failed.get(lane) === false) return false
    const last = this.#at.get(lane)
    if (last !== undefined && now - last < AGAIN_AFTER_MS) return false
    this.#failed.set(lane, false)
    this.#at.set(lane, now)
    return true
  }
}
