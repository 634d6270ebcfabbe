import type { ReadingOptions } from '../recording/criteria.ts'
import type { DeadLetter } from './dead-letter.ts'
import { assertDeadLetters, type DeadLetterCriteria, type DeadLetterParts, deadLettersOf } from './listing.ts'
import { assertReplay, type ReplayOptions, type Replays, type ReplayTarget, replay } from './replay.ts'

/** The dead letters of an issuer, and what an operator does with them. */
export class DeadLetters {
  readonly #parts: DeadLetterParts

  constructor(parts: DeadLetterParts) {
    this.#parts = parts
  }

  list(options: DeadLetterCriteria & ReadingOptions): AsyncIterable<DeadLetter> {
    assertDeadLetters(options)
    return deadLettersOf(this.#parts, options)
  }

  async replay(target: ReplayTarget, options: ReplayOptions): Promise<Replays> {
    assertReplay(target, options)
    return replay(this.#parts, target, options)
  }
}
