import { ReceiverOptionError, requireKnownOptions } from '../option-error.ts'
import {
  type KeyValueLoggedOutStoreOptions,
  type KeyValueStore,
  keyValueLoggedOutStore,
} from './key-value-logged-out-store.ts'
import type { LoggedOutStore } from './logged-out-store.ts'

/** The methods of a store of express-session that are used. They take callbacks, as express-session requires. */
export interface ExpressSessionStore {
  get(id: string, callback: (error: unknown, session?: unknown) => void): void
  set(id: string, session: unknown, callback?: (error?: unknown) => void): void
}

/**
 * A {@link LoggedOutStore} on a store for express-session, which is also what express-openid-connect accepts as `store`.
 * Use a separate instance with its own prefix: it must not be possible to use an entry as a session.
 *
 * The store has to keep values until `cookie.expires`, and must not evict them. For a store that only returns promises use {@link koaSessionLoggedOutStore}.
 *
 * @throws {ReceiverOptionError} `OPTION_INVALID`
 */
export function expressSessionLoggedOutStore(
  store: ExpressSessionStore,
  options: KeyValueLoggedOutStoreOptions = {},
): LoggedOutStore {
  requireKnownOptions(options, ['timeoutMs'])
  if (typeof store?.get !== 'function' || typeof store.set !== 'function') {
    throw new ReceiverOptionError('store', 'must have get and set, as the stores of express-session do')
  }
  const values: KeyValueStore = {
    get: (key) =>
      new Promise((resolve, reject) => {
        store.get(key, (error: unknown, value?: unknown) => (error ? reject(error) : resolve(value)))
      }),
    set: (key, value, maxAgeMs) => {
      const cookie = { originalMaxAge: maxAgeMs, maxAge: maxAgeMs, expires: new Date(value.expiresAt * 1000) }
      return new Promise((resolve, reject) => {
        store.set(key, { ...value, cookie }, (error?: unknown) => (error ? reject(error) : resolve()))
      })
    },
  }
  return keyValueLoggedOutStore(values, options)
}
