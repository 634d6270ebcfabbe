import assert from 'node:assert/strict'
import type { LoggedOutEntry, LoggedOutStore } from '../../plugins/back-channel-logout-receiver/index.ts'

/**
 * What every {@link LoggedOutStore} has to do. `open` gives an empty store.
 *
 * @param clock - seconds since the epoch, when a test begins; for stores that forget by a clock of their own, that clock
 */
export function loggedOutStoreContract(
  name: string,
  open: () => Promise<LoggedOutStore>,
  clock: () => number = () => Math.floor(Date.now() / 1000),
): void {
  describe(`${name}, as a store of logged-out sessions`, () => {
    let store: LoggedOutStore
    let now: number

    beforeEach(async () => {
      now = clock()
      store = await open()
    })

    const entry = (key: string, more: Partial<LoggedOutEntry> = {}): LoggedOutEntry => ({
      ...{ key, loggedOutAt: now - 100, expiresAt: now + 1000, now },
      ...more,
    })

    it('knows nothing of what it was not told', async () => {
      await store.remember([entry('a')])
      assert.deepEqual(await store.recall(['b', '__proto__', '$where']), [undefined, undefined, undefined])
    })

    it('recalls what it was told, in the order of the question', async () => {
      await store.remember([entry('a'), entry('b', { loggedOutAt: now - 50 })])
      await store.remember([entry('c', { loggedOutAt: now - 20.25 })])
      assert.deepEqual(await store.recall(['c', 'x', 'a', 'b', 'a']), [
        ...[now - 20.25, undefined],
        ...[now - 100, now - 50, now - 100],
      ])
    })

    it('keeps the later logout, whichever is told last', async () => {
      for (const loggedOutAt of [now - 30, now - 10, now - 20]) await store.remember([entry('a', { loggedOutAt })])
      assert.deepEqual(await store.recall(['a']), [now - 10])
    })

    it('keeps the latest of 16 logouts that are told at once', async () => {
      const times = Array.from({ length: 16 }, (_, index) => now - 100 + ((index * 7) % 16))
      await Promise.all(times.map((loggedOutAt) => store.remember([entry('a', { loggedOutAt })])))
      assert.deepEqual(await store.recall(['a']), [Math.max(...times)])
    })

    it('answers nothing to nothing', async () => {
      await store.remember([])
      assert.deepEqual(await store.recall([]), [])
    })
  })
}
