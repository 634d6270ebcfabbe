import { type CompactVerifyGetKey, createLocalJWKSet, type JSONWebKeySet } from 'jose'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { isObject } from './claim-rules.ts'
import { fetchKeySet } from './fetch-key-set.ts'
import { joseCode } from './jose-code.ts'
import { LogoutTokenError } from './logout-token-error.ts'

/** Keys that are younger are used without asking for newer ones. */
const FRESH_MS = 10 * 60 * 1000
/** Keys that are older are not used any more, even if no newer ones can be had. */
const USABLE_MS = 24 * 60 * 60 * 1000
/** The shortest time between two fetches that succeed, and the longest pause between two that fail. */
const PAUSE_MS = 30 * 1000
/** The pause after the first failure; it doubles with each further one, up to {@link PAUSE_MS}. */
const FIRST_PAUSE_MS = 1000
/** How long one fetch may take, its body included. */
const FETCH_TIMEOUT_MS = 5 * 1000

type Key = Awaited<ReturnType<CompactVerifyGetKey>>
type FetchKeySet = (url: URL, signal: AbortSignal) => Promise<unknown>

/** One moment, by both clocks: the wall clock may be set back, the monotonic clock stands still while a machine sleeps. */
type Moment = Readonly<Record<'wall' | 'monotonic', number>>

/**
 * The keys behind a `jwks_uri`, for one process.
 *
 * A lookup uses the known keys while they are fresh. When they are not, or when none of them fits, it fetches, unless a
 * fetch is under way, whose end it then waits for, or a pause is not over. Pauses do not depend on what arrives: 30
 * seconds after a fetch that succeeded; 1, 2, 4, 8, 16 and then 30 seconds after fetches that failed. So whoever sends
 * tokens with invented key ids causes no more requests than that.
 *
 * While fetches fail, known keys go on verifying, for a day after they were fetched, and no lookup waits for a fetch that
 * it does not need. A key that was revoked in the meantime is accepted for that long.
 *
 * "No such key" (`key_not_found`) is said only after a fetch that began after the lookup: an OP publishes a key before
 * it signs with it. In every other case nothing is known of the token, and the error is `key_unavailable`.
 */
export class RemoteKeySet {
  readonly #url: URL
  readonly #clock: Clock
  readonly #fetchKeySet: FetchKeySet
  #known: { readonly getKey: CompactVerifyGetKey; readonly fetchedAt: Moment } | undefined
  #fetching: Promise<boolean> | undefined
  /** By the monotonic clock. */
  #nextFetchAt = Number.NEGATIVE_INFINITY
  #failures = 0
  #lastError: unknown

  constructor(url: URL, { clock = systemClock, fetch = fetchKeySet }: { clock?: Clock; fetch?: FetchKeySet } = {}) {
    this.#url = url
    this.#clock = clock
    this.#fetchKeySet = fetch
  }

  /**
   * For jose. Its `ERR_JWKS_MULTIPLE_MATCHING_KEYS` comes through as it is.
   *
   * @throws {LogoutTokenError} `key_not_found`, `key_unavailable`
   */
  readonly getKey: CompactVerifyGetKey = async (header, token) => {
    const isFresh = this.#isKnownFor(FRESH_MS)
    if (isFresh || this.#failures > 0) {
      const key = await this.#find(header, token)
      if (key !== undefined) {
        if (!isFresh) void this.#refresh()
        return key
      }
    }
    const isCurrent = await this.#refresh()
    const key = await this.#find(header, token)
    if (key !== undefined) return key
    if (isCurrent) throw new LogoutTokenError('key_not_found')
    throw new LogoutTokenError('key_unavailable', {
      detail: this.#failures > 0 ? 'the last fetch failed' : 'fetched a moment ago',
      cause: this.#lastError,
    })
  }

  async #find(...lookup: Parameters<CompactVerifyGetKey>): Promise<Key | undefined> {
    if (this.#known === undefined || !this.#isKnownFor(USABLE_MS)) return undefined
    try {
      return await this.#known.getKey(...lookup)
    } catch (error) {
      if (joseCode(error) === 'ERR_JWKS_NO_MATCHING_KEY') return undefined
      throw error
    }
  }

  /** Whether a fetch that began with this call has succeeded. Never rejects. */
  async #refresh(): Promise<boolean> {
    if (this.#fetching !== undefined) {
      await this.#fetching
      return false
    }
    if (this.#clock.monotonic() < this.#nextFetchAt) return false
    this.#fetching = this.#fetch().finally(() => {
      this.#fetching = undefined
    })
    return await this.#fetching
  }

  async #fetch(): Promise<boolean> {
    const timeout = new AbortController()
    const timer = this.#clock.setTimeout(() => {
      timeout.abort(new Error(`${this.#url.href} has not answered within ${FETCH_TIMEOUT_MS} ms`))
    }, FETCH_TIMEOUT_MS)
    try {
      const getKey = createLocalJWKSet(keySet(await this.#fetchKeySet(this.#url, timeout.signal)))
      this.#known = { getKey, fetchedAt: this.#moment() }
      this.#failures = 0
      this.#lastError = undefined
    } catch (error) {
      this.#failures += 1
      this.#lastError = error
    }
    timer.cancel()
    const pauseMs = this.#failures === 0 ? PAUSE_MS : Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), PAUSE_MS)
    this.#nextFetchAt = this.#clock.monotonic() + pauseMs
    return this.#failures === 0
  }

  #isKnownFor(limitMs: number): boolean {
    if (this.#known === undefined) return false
    const { fetchedAt } = this.#known
    const now = this.#moment()
    return Math.max(now.wall - fetchedAt.wall, now.monotonic - fetchedAt.monotonic) < limitMs
  }

  #moment(): Moment {
    return { wall: this.#clock.now(), monotonic: this.#clock.monotonic() }
  }
}

/** An empty set counts as a failure: the OP signs with something, and has not published it yet, or not again. */
function keySet(answer: unknown): JSONWebKeySet {
  if (!isObject(answer) || !Array.isArray(answer.keys) || answer.keys.length === 0 || !answer.keys.every(isObject)) {
    throw new Error('the answer is not a JWKS with at least one key (RFC 7517 section 5)')
  }
  return { keys: answer.keys }
}
