import { inTime } from '../../../lib/in-time.ts'
import {
  type Clock,
  type JsonObject,
  type Logger,
  type Observation,
  type RequestContext,
  type SessionChange,
  type SessionObserver,
  systemClock,
} from '../../../lib/index.ts'
import { boundedDescription, type LoginDescription } from './description.ts'

/** Under which the plugin keeps its note with a session's state. */
export const NOTE = 'account_sessions'

/** How long the application may take to describe a login, in milliseconds: the user waits. */
const PATIENCE_MS = 2_000

/** Says what is to be remembered of a login: called with the provider's context of the request that logs in. */
export type Describe = (ctx: RequestContext) => LoginDescription | undefined | Promise<LoginDescription | undefined>

/**
 * Remembers, sealed with the session's state, where its login came from and when it was used last. A session of nobody has
 * no note. What the application fails to describe is not remembered, and the user logs in all the same.
 */
export class LoginObserver implements SessionObserver {
  readonly name: string = NOTE
  readonly #describe: Describe | undefined
  /** A commit may be tried again, on top of another state: the same login is described once. */
  readonly #described = new WeakMap<RequestContext, Promise<LoginDescription>>()
  #clock: Clock = systemClock
  #logger: Logger | undefined

  constructor(describe: Describe | undefined) {
    this.#describe = describe
  }

  attach(clock: Clock, logger: Logger): void {
    this.#clock = clock
    this.#logger = logger
  }

  async sessionChanges({ before, after, note, request }: SessionChange): Promise<Observation> {
    if (!after || typeof after['accountId'] !== 'string') return { events: [], ...(note && { note: {} }) }
    const isLogin = before?.['accountId'] !== after['accountId'] || before['loginTs'] !== after['loginTs']
    const kept: JsonObject = isLogin ? {} : { ...note }
    const description = isLogin && request ? await this.#descriptionOf(request) : undefined
    return {
      events: [],
      note: {
        ...kept,
        ...(description && Object.keys(description).length > 0 && { description: { ...description } }),
        ...(request && { usedAt: this.#clock.now() }),
      },
    }
  }

  #descriptionOf(request: RequestContext): Promise<LoginDescription> {
    const before = this.#described.get(request)
    if (before !== undefined) return before
    const description = this.#asked(request)
    this.#described.set(request, description)
    return description
  }

  async #asked(request: RequestContext): Promise<LoginDescription> {
    if (!this.#describe) return {}
    try {
      const description = Promise.resolve(this.#describe(request))
      if (await inTime(description, this.#clock, PATIENCE_MS)) return boundedDescription(await description)
      this.#warn(new Error(`describe() has not answered for ${PATIENCE_MS / 1_000} s`))
    } catch (err) {
      this.#warn(err)
    }
    return {}
  }

  #warn(err: unknown): void {
    this.#logger?.warn(
      { event: 'login_not_described', err },
      'what a login came from is not remembered, since the application did not say it',
    )
  }
}

/** When the session was used last, as far as it was written; milliseconds since 1970. */
export function usedAtIn(note: JsonObject | undefined): number | undefined {
  const usedAt = note?.['usedAt']
  return typeof usedAt === 'number' ? usedAt : undefined
}
