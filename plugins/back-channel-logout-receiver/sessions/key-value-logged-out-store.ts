import { type Clock, systemClock } from '../../../lib/clock.ts'
import { isObject } from '../claim-rules.ts'
import { positiveNumber } from '../option-error.ts'
import { ReceiverStoreError } from '../receiver-store-error.ts'
import { withTimeout } from '../time-limit.ts'
import type { LoggedOutEntry, LoggedOutStore } from './logged-out-store.ts'
import { isTime } from './session-login.ts'

/** What is stored under a key. */
export interface StoredLogout {
  readonly loggedOutAt: number
  readonly expiresAt: number
}

/** A store that can only read and write whole values by key, as session stores can. */
export interface KeyValueStore {
  get(key: string): Promise<unknown>
  set(key: string, value: StoredLogout, maxAgeMs: number): Promise<void>
}

export interface KeyValueLoggedOutStoreOptions {
  /** The time limit of one call to the store, in milliseconds. Default 3000. */
  timeoutMs?: number
}

/** Distinguishes the keys from session ids, should both be in one store. */
const PREFIX = 'logged-out-'

/** The running write of one key, and the one that waits for its end. */
interface Write {
  readonly done: Promise<void>
  next?: { entry: LoggedOutEntry; readonly done: Promise<void> }
}

/**
 * A {@link LoggedOutStore} on a {@link KeyValueStore}.
 *
 * To keep the latest of two times it reads before it writes, one key at a time. Entries that come for a key while it is
 * being written are merged and written together, so that any number of logouts of one user at once costs two reads and
 * two writes. Two processes that receive two logouts of one user within the same milliseconds, without sid, can leave the
 * older of the two; so can a write that was given up after `timeoutMs` and happens all the same.
 */
export function keyValueLoggedOutStore(
  store: KeyValueStore,
  { timeoutMs }: KeyValueLoggedOutStoreOptions = {},
  clock: Pick<Clock, 'setTimeout'> = systemClock,
): LoggedOutStore {
  const limitMs = positiveNumber('timeoutMs', timeoutMs, 3_000)
  const writes = new Map<string, Write>()

  const withLimit = <T>(call: () => Promise<T>): Promise<T> => {
    const timeoutError = (): Error => new ReceiverStoreError(`the session store has not responded within ${limitMs} ms`)
    return withTimeout(call, limitMs, timeoutError, clock)
  }

  const write = async ({ key, loggedOutAt, expiresAt, now }: LoggedOutEntry): Promise<void> => {
    const stored = storedLogout(await withLimit(() => store.get(key)))
    const latest: StoredLogout = {
      loggedOutAt: Math.max(loggedOutAt, stored?.loggedOutAt ?? loggedOutAt),
      expiresAt: Math.max(expiresAt, stored?.expiresAt ?? expiresAt),
    }
    await withLimit(() => store.set(key, latest, (latest.expiresAt - now) * 1000))
  }

  const begin = (entry: LoggedOutEntry): Promise<void> => {
    const current: Write = { done: write(entry) }
    writes.set(entry.key, current)
    return current.done.finally(() => {
      if (current.next === undefined) writes.delete(entry.key)
    })
  }

  const remember = (entry: LoggedOutEntry): Promise<void> => {
    const current = writes.get(entry.key)
    if (current === undefined) return begin(entry)
    if (current.next !== undefined) {
      current.next.entry = latestOf(current.next.entry, entry)
      return current.next.done
    }
    const beginNext = (): Promise<void> => begin(current.next?.entry ?? entry)
    const done = current.done.then(beginNext, beginNext)
    current.next = { entry, done }
    return done
  }

  return {
    async remember(entries) {
      await Promise.all(entries.map((entry) => remember({ ...entry, key: `${PREFIX}${entry.key}` })))
    },
    async recall(keys) {
      const values = await Promise.all(keys.map((key) => withLimit(() => store.get(`${PREFIX}${key}`))))
      return values.map((value) => storedLogout(value)?.loggedOutAt)
    },
  }
}

function latestOf(one: LoggedOutEntry, other: LoggedOutEntry): LoggedOutEntry {
  return {
    key: one.key,
    loggedOutAt: Math.max(one.loggedOutAt, other.loggedOutAt),
    expiresAt: Math.max(one.expiresAt, other.expiresAt),
    now: Math.max(one.now, other.now),
  }
}

/**
 * @throws {TypeError} at anything that was not stored by {@link keyValueLoggedOutStore}: failing is better than answering
 *   "not logged out"
 */
function storedLogout(value: unknown): StoredLogout | undefined {
  if (value === undefined || value === null || value === false) return undefined
  if (isObject(value)) {
    const { loggedOutAt, expiresAt } = value
    if (isTime(loggedOutAt) && isTime(expiresAt)) return { loggedOutAt, expiresAt }
  }
  throw new TypeError('the store of logged-out sessions returned a value that was not stored by it')
}
