import { knownOptions, ReceiverOptionError } from '../option-error.ts'
import {
  type KeyValueLoggedOutStoreOptions,
  type KeyValueStore,
  keyValueLoggedOutStore,
} from './key-value-logged-out-store.ts'
import type { LoggedOutStore } from './logged-out-store.ts'

/** As much of an external store of koa-session as is used here. */
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
 * Remembers logouts in an external store made for koa-session: one that works without `ctx`, which there is none of
 * when a logout arrives. Give it an instance of its own, with a prefix of its own: nobody must be able to use an entry
 * as a session.
 *
 * The store has to keep what it is given for the time that it is told, and must not evict it for lack of room.
 *
 * @throws {ReceiverOptionError} `OPTION_INVALID`
 */
export function inKoaSessionStore(store: KoaSessionStore, options: KeyValueLoggedOutStoreOptions = {}): LoggedOutStore {
  knownOptions(options, ['timeoutMs'])
  if (typeof store?.get !== 'function' || typeof store.set !== 'function') {
    throw new ReceiverOptionError('store', 'must have get and set, as the external stores of koa-session do')
  }
  const values: KeyValueStore = {
    // The age is for stores that count it anew at each read, which an entry does not need: a day does no harm.
    get: async (key) => store.get(key, 24 * 60 * 60 * 1000, { rolling: false }),
    set: async (key, value, maxAgeMs) => {
      await store.set(key, value, maxAgeMs, { rolling: false, changed: true })
    },
  }
  return keyValueLoggedOutStore(values, options)
}
