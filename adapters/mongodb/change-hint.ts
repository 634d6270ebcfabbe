import type { ChangeStream } from 'mongodb'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/logger.ts'
import type { Collections } from './collections.ts'
import type { Wakeups } from './wakeups.ts'

/** Closing waits so long for the server to be told, in milliseconds. */
const FAREWELL_MS = 1_000

/** What the hint works with. */
export interface ChangeHintParts {
  readonly collections: Collections
  readonly wakeups: Wakeups
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Wakes this process's subscriptions when another process has appended, where the server has change streams. Nothing
 * depends on it: whoever is woken reads for himself, and when it fails, polling goes on as before.
 */
export class ChangeHint {
  readonly #parts: ChangeHintParts
  #stream: ChangeStream | undefined

  constructor(parts: ChangeHintParts) {
    this.#parts = parts
  }

  /** Opens the stream unless it is open. */
  start(): void {
    if (this.#stream) return
    const { collections, wakeups, logger } = this.#parts
    const stream = collections.majorityEvents.watch([
      { $match: { operationType: 'insert' } },
      { $project: { 'documentKey._id': 1 } },
    ])
    this.#stream = stream
    const over = (error?: unknown): void => {
      if (this.#stream !== stream) return
      this.#stream = undefined
      logger.debug({ err: error }, 'the change stream of the log has ended; subscriptions poll')
      void stream.close().catch(() => undefined)
    }
    stream.on('change', () => wakeups.wake())
    stream.on('error', over)
    stream.on('close', () => over())
  }

  async stop(): Promise<void> {
    const stream = this.#stream
    this.#stream = undefined
    if (!stream) return
    const enough = new AbortController()
    const closed = stream.close().catch(() => undefined)
    await Promise.race([closed, this.#parts.clock.sleep(FAREWELL_MS, enough.signal)])
    enough.abort()
  }
}
