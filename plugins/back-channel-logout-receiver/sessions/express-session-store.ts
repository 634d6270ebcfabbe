import { knownOptions, ReceiverOptionError } from '../option-error.ts'
import {
  type KeyValueLoggedOutStoreOptions,
  type KeyValueStore,
  keyValueLoggedOutStore,
} from './key-value-logged-out-store.ts'
import type { LoggedOutStore } from './logged-out-store.ts'

/** As much of a store of express-session as is used here. Its methods call back, as express-session demands. */
export interface ExpressSessionStore {
  get(id: string, callback: (error: unknown, session?: unknown) => void): void
  set(id: string, session: unknown, callback?: (error?: unknown) => void): void
}

/**
 * Remembers logouts in a store made for express-session, which is also what express-openid-connect takes as `store`.
 * Give it an instance of its own, with a prefix of its own: nobody must be able to use an entry as a session.
 *
 * The store has to keep what it is given until `cookie.expires`, and must not evict it for lack of room. A store that
 * only returns promises goes into {@link inKoaSessionStore}.
 *
 * @throws {ReceiverOptionError} `OPTION_INVALID`
 */
export function inExpressSessionStore(
  store: ExpressSessionStore,
  options: KeyValueLoggedOutStoreOptions = {},
): LoggedOutStore {
  knownOptions(options, ['timeoutMs'])
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
