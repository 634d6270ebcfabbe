import { type CompactVerifyGetKey, createLocalJWKSet, type JSONWebKeySet } from 'jose'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { isObject } from './claim-rules.ts'
import { fetchKeySet } from './fetch-key-set.ts'
import { joseErrorCode } from './jose-code.ts'
import { LogoutTokenError } from './logout-token-error.ts'

/** Younger keys are used without fetching. */
const FRESH_MS = 10 * 60 * 1000
/** Older keys are not used, even when no newer ones can be fetched. */
const USABLE_MS = 24 * 60 * 60 * 1000
/** The shortest time between two fetches that succeed, and the longest pause between two that fail. */
const PAUSE_MS = 30 * 1000
/** The pause after the first failure; it doubles with each further one, up to {@link PAUSE_MS}. */
const FIRST_PAUSE_MS = 1000
/** How long one fetch may take, its body included. */
const FETCH_TIMEOUT_MS = 5 * 1000

type Key = Awaited<ReturnType<CompactVerifyGetKey>>
type FetchKeySet = (url: URL, signal: AbortSignal) => Promise<unknown>

/** A point in time by both clocks: the wall clock may be set back, the monotonic clock stops while a machine is suspended. */
type Timestamp = Readonly<Record<'wall' | 'monotonic', number>>

/**
 * The keys of a `jwks_uri`, cached in memory.
 *
 * A lookup uses the cached keys while they are fresh. When they are not, or when none of them fits, the lookup starts a
 * fetch, or waits for the one that is running. After a fetch there is a pause in which no other one is started: 30 seconds
 * after a success; 1, 2, 4, 8, 16 and then 30 seconds after consecutive failures. The pauses do not depend on the tokens
 * that arrive, so invented key ids cause no additional requests.
 *
 * While fetches fail, cached keys are used for a day after they were fetched, and a lookup that finds its key does not
 * wait for the next fetch. A key that the OP revokes meanwhile is accepted for that long.
 *
 * `key_not_found` is returned only after a successful fetch that was started after the lookup: an OP publishes a key
 * before it signs with it. Otherwise the key may exist, and the error is `key_unavailable`.
 */
export class RemoteKeySet {
  readonly #url: URL
  readonly #clock: Clock
  readonly #fetchKeySet: FetchKeySet
  #cached: { readonly getKey: CompactVerifyGetKey; readonly fetchedAt: Timestamp } | undefined
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
   * A key getter for jose, whose `ERR_JWKS_MULTIPLE_MATCHING_KEYS` is passed on unchanged.
   *
   * @throws {LogoutTokenError} `key_not_found`, `key_unavailable`
   */
  readonly getKey: CompactVerifyGetKey = async (header, token) => {
    const isFresh = this.#isYoungerThan(FRESH_MS)
    const isFailing = this.#failures > 0
    // While fetches fail, this one runs in the background of a lookup that finds its key.
    const refreshed = isFresh ? undefined : this.#refresh()
    if (isFresh || isFailing) {
      const key = await this.#find(header, token)
      if (key !== undefined) return key
    }
    const isCurrent = await (refreshed ?? this.#refresh())
    const key = await this.#find(header, token)
    if (key !== undefined) return key
    if (isCurrent) throw new LogoutTokenError('key_not_found')
    throw new LogoutTokenError('key_unavailable', {
      detail: this.#failures > 0 ? 'the last fetch failed' : 'fetched a moment ago',
      cause: this.#lastError,
    })
  }

  async #find(...lookup: Parameters<CompactVerifyGetKey>): Promise<Key | undefined> {
    if (this.#cached === undefined || !this.#isYoungerThan(USABLE_MS)) return undefined
    try {
      return await this.#cached.getKey(...lookup)
    } catch (error) {
      if (joseErrorCode(error) === 'ERR_JWKS_NO_MATCHING_KEY') return undefined
      throw error
    }
  }

  /** Resolves to true when this call has started a fetch and the fetch has succeeded. Never rejects. */
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
      this.#cached = { getKey, fetchedAt: this.#timestamp() }
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

  #isYoungerThan(limitMs: number): boolean {
    if (this.#cached === undefined) return false
    const { fetchedAt } = this.#cached
    const now = this.#timestamp()
    return Math.max(now.wall - fetchedAt.wall, now.monotonic - fetchedAt.monotonic) < limitMs
  }

  #timestamp(): Timestamp {
    return { wall: this.#clock.now(), monotonic: this.#clock.monotonic() }
  }
}

/** An empty set counts as a failure: the OP has a signing key, which it has not published at this moment. */
function keySet(body: unknown): JSONWebKeySet {
  if (!isObject(body) || !Array.isArray(body.keys) || body.keys.length === 0 || !body.keys.every(isObject)) {
    throw new Error('the response is not a JWKS with at least one key (RFC 7517 section 5)')
  }
  return { keys: body.keys }
}
