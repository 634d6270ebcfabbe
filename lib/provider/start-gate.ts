import type { Logger } from '../logger.ts'
import { headersOf, type PageParts, refuse } from './answers.ts'
import type { Refusal } from './refusals.ts'
import type { RequestContext } from './request-context.ts'

/** The longest time for which requests wait for a start, in milliseconds. */
const MAX_WAIT_MS = 10_000

/** While the plugins have not started. Nothing of the request has happened; a client waits for 2 seconds. */
const NOT_STARTED: Refusal = {
  status: 503,
  error: 'temporarily_unavailable',
  description: 'the service is starting, please try again',
  headers: { 'Retry-After': '2' },
}

/** What the gate works with. */
export interface StartGateParts extends PageParts {
  readonly logger: Logger
}

/**
 * Keeps requests waiting until the plugins have started for the first time: what they record must not be missing in a
 * request that came early. A request waits for at most 10 s, and for no start that is not under way; then it is refused.
 * Once open the gate stays open: while the plugins are stopped, requests go on.
 */
export class StartGate {
  readonly #parts: StartGateParts
  #isOpen = false
  /** Settles when the start that is under way has ended, or takes too long. */
  #waiting: Promise<void> | undefined

  constructor(parts: StartGateParts) {
    this.#parts = parts
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** For a start that has nothing to wait for. */
  open(): void {
    this.#isOpen = true
  }

  /** Runs a start, and opens when it has succeeded. */
  async openAfter(start: () => Promise<void>): Promise<void> {
    if (this.#isOpen) return start()
    const { clock, logger } = this.#parts
    let release = (): void => {}
    this.#waiting = new Promise((resolve) => {
      release = resolve
    })
    const timer = clock.setTimeout(() => {
      logger.warn(
        { event: 'start_slow', after_ms: MAX_WAIT_MS },
        'the plugins take long to start: requests are answered 503 until they have started',
      )
      this.#waiting = undefined
      release()
    }, MAX_WAIT_MS)
    try {
      await start()
      this.open()
    } catch (err) {
      logger.error(
        { event: 'start_failed', err },
        'the plugins could not be started: requests are answered 503 until start() has succeeded',
      )
      throw err
    } finally {
      timer.cancel()
      this.#waiting = undefined
      release()
    }
  }

  readonly middleware = async (ctx: RequestContext, next: () => Promise<unknown>): Promise<void> => {
    if (!this.#isOpen) await this.#waiting
    if (this.#isOpen) await next()
    else await refuse(ctx, headersOf(ctx), NOT_STARTED, this.#parts)
  }
}
