import { ReceiverOptionError, requireKnownOptions } from '../option-error.ts'
import {
  type KeyValueLoggedOutStoreOptions,
  type KeyValueStore,
  keyValueLoggedOutStore,
} from './key-value-logged-out-store.ts'
import type { LoggedOutStore } from './logged-out-store.ts'

/** The methods of an external store of koa-session that are used. */
export interface KoaSessionStore {
  get(key: string, maxAgeMs: number, options: { readonly rolling: boolean }): unknown
  set(
    key: string,
    value: object,
    maxAgeMs: number,
    options: { readonly rolling: boolean; readonly changed: boolean },
  ): unknown
}

/**
 * A {@link LoggedOutStore} on an external store for koa-session that does not need `ctx`. Use a separate instance with its
 * own prefix: it must not be possible to use an entry as a session.
 *
 * The store has to keep values for the given time, and must not evict them.
 *
 * @throws {ReceiverOptionError} `OPTION_INVALID`
 */
export function koaSessionLoggedOutStore(
  store: KoaSessionStore,
  options: KeyValueLoggedOutStoreOptions = {},
): LoggedOutStore {
  requireKnownOptions(options, ['timeoutMs'])
  if (typeof store?.get !== 'function' || typeof store.set !== 'function') {
    throw new ReceiverOptionError('store', 'must have get and set, as the external stores of koa-session do')
  }
  const values: KeyValueStore = {
    // Some stores extend the expiry by this age at each read. Entries do not need that; a day does no harm.
    get: async (key) => store.get(key, 24 * 60 * 60 * 1000, { rolling: false }),
    set: async (key, value, maxAgeMs) => {
      await store.set(key, value, maxAgeMs, { rolling: false, changed: true })
    },
  }
  return keyValueLoggedOutStore(values, options)
}
