import type { LoggedOutEntry, LoggedOutStore } from './logged-out-store.ts'

/** What is kept under a key of somebody else's store. */
export interface KeptLogout {
  readonly loggedOutAt: number
  readonly expiresAt: number
}

/** A store that knows nothing but values by key. */
export interface KeyedValues {
  get(key: string): Promise<unknown>
  set(key: string, value: KeptLogout, maxAgeMs: number): Promise<void>
}

/** Tells the keys from the ids of sessions, should both live in one store. */
const PREFIX = 'logged-out-'

/**
 * A {@link LoggedOutStore} on a store that can only read and write whole values, as session stores do.
 *
 * To keep the latest of two times it reads before it writes, one call after the other for each key. Two processes that
 * are told of two logouts of one user within the same milliseconds, without sid, can still leave the older of the two.
 */
export function onKeyedValues(values: KeyedValues): LoggedOutStore {
  const turns = new Map<string, Promise<void>>()

  const inTurn = (key: string, work: () => Promise<void>): Promise<void> => {
    const mine = (turns.get(key) ?? Promise.resolve()).then(work)
    const settled = mine
      .catch(() => {})
      .then(() => {
        if (turns.get(key) === settled) turns.delete(key)
      })
    turns.set(key, settled)
    return mine
  }

  const remember = async ({ key, loggedOutAt, expiresAt, now }: LoggedOutEntry): Promise<void> => {
    const kept = keptLogout(await values.get(key))
    const latest: KeptLogout = {
      loggedOutAt: Math.max(loggedOutAt, kept?.loggedOutAt ?? loggedOutAt),
      expiresAt: Math.max(expiresAt, kept?.expiresAt ?? expiresAt),
    }
    await values.set(key, latest, (latest.expiresAt - now) * 1000)
  }

  return {
    async remember(entries) {
      await Promise.all(
        entries
          .map((entry) => ({ ...entry, key: `${PREFIX}${entry.key}` }))
          .map((entry) => inTurn(entry.key, () => remember(entry))),
      )
    },
    async recall(keys) {
      const kept = await Promise.all(keys.map((key) => values.get(`${PREFIX}${key}`)))
      return kept.map((value) => keptLogout(value)?.loggedOutAt)
    },
  }
}

/** Throws at anything that was not put there by {@link onKeyedValues}: no answer is better than "not logged out". */
function keptLogout(value: unknown): KeptLogout | undefined {
  if (value === undefined || value === null || value === false) return undefined
  if (typeof value === 'object' && 'loggedOutAt' in value && 'expiresAt' in value) {
    const { loggedOutAt, expiresAt } = value
    if (typeof loggedOutAt === 'number' && typeof expiresAt === 'number') return { loggedOutAt, expiresAt }
  }
  throw new TypeError('the store of logged-out sessions returned something that was not put there')
}
