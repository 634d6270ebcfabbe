import type { Clock } from '../clock.ts'

/** For so long things that are held are answered as they were, to one who has looked before, in milliseconds. */
const MOMENT_MS = 50

/**
 * The moment that a request sees: its first look-up sets it. What is held is answered as of then, for as long as the moment
 * lasts, and costs no command.
 */
export class Moment {
  #setAt: number | undefined

  /** @param at - monotonic time; nothing that was appended before is missing in what is held */
  set(at: number): void {
    if (this.#setAt === undefined || at > this.#setAt) this.#setAt = at
  }

  lasts(clock: Clock): boolean {
    return this.#setAt !== undefined && clock.monotonic() - this.#setAt <= MOMENT_MS
  }

  /** The next look-up sets another one. */
  end(): void {
    this.#setAt = undefined
  }
}
