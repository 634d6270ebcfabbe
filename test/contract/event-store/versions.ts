import assert from 'node:assert/strict'
import { ConcurrencyError } from '../../../lib/errors.ts'
import { only, race, rejectsWith } from './expect.ts'
import { assertInvariants } from './invariants.ts'
import { commitTo, event, fresh, type MakeLog, openedLog, range } from './log-under-test.ts'

export function versionsContract(makeLog: MakeLog): void {
  describe('a versioned stream', () => {
    const log = openedLog(makeLog)

    it('counts from 1 without a gap', async () => {
      const stream = fresh()
      for (const version of [1, 2, 3]) await log.store.append(commitTo(stream, { version }))
      assertInvariants(await log.store.read(stream), { dense: false })
    })

    it('gives a version to one commit only', async () => {
      const stream = fresh()
      await log.store.append(commitTo(stream, { version: 1 }))
      const error = await rejectsWith('CONCURRENCY', () => log.store.append(commitTo(stream, { version: 1 })))
      assert.ok(error instanceof ConcurrencyError)
      assert.equal(error.stream, stream)
    })

    it('gives each version to exactly one of several that want it at once', async () => {
      const stream = fresh('with@sign')
      for (const version of range(5).map((n) => n + 1)) {
        const { won, lost } = await race(range(16).map(() => () => log.store.append(commitTo(stream, { version }))))
        only(won)
        assert.deepEqual(
          lost,
          range(15).map(() => 'CONCURRENCY'),
        )
      }
      assertInvariants(await log.store.read(stream), { dense: false })
    })

    it('does not begin with another version than 1', async () => {
      const stream = fresh()
      await rejectsWith('CONCURRENCY', () => log.store.append(commitTo(stream, { version: 2 })))
      assert.equal(await log.store.latest(stream), undefined)
    })

    it('refuses a version whose predecessor is missing', async () => {
      const stream = fresh()
      await log.store.append(commitTo(stream, { version: 1 }))
      await rejectsWith('CONCURRENCY', () => log.store.append(commitTo(stream, { version: 3 })))
      await log.store.append(commitTo(stream, { version: 2 }))
      await log.store.append(commitTo(stream, { version: 3 }))
    })

    it('takes several versions in one commit', async () => {
      const stream = fresh()
      await log.store.append({ events: [1, 2].map((version) => event(stream, { version })) })
      await log.store.append({ events: [3, 4].map((version) => event(stream, { version })) })
      await rejectsWith('CONCURRENCY', () =>
        log.store.append({ events: [4, 5].map((version) => event(stream, { version })) }),
      )
      assertInvariants(await log.store.read(stream), { dense: false })
    })

    for (const versions of [
      [1, 3],
      [2, 1],
      [1, 1],
    ]) {
      it(`refuses a commit with versions ${versions.join(' and ')}`, async () => {
        const stream = fresh()
        await rejectsWith('COMMIT_INVALID', () =>
          log.store.append({ events: versions.map((version) => event(stream, { version })) }),
        )
      })
    }

    it('is one of several in a commit: all versions hold or none', async () => {
      const [one, two] = [fresh(), fresh()]
      await log.store.append(commitTo(one, { version: 1 }))
      const both = (version: number): Promise<unknown> =>
        log.store.append({ events: [event(two, { version: 1 }), event(one, { version })] })
      await rejectsWith('CONCURRENCY', () => both(1))
      await rejectsWith('CONCURRENCY', () => both(3))
      assert.equal(await log.store.latest(two), undefined)
      await both(2)
    })

    it('lets events without a version into the stream as well', async () => {
      const stream = fresh()
      await log.store.append(commitTo(stream, { version: 1 }))
      await log.store.append(commitTo(stream))
      await log.store.append(commitTo(stream, { version: 2 }))
      assert.deepEqual(
        (await log.store.read(stream)).map(({ events }) => events[0]?.version),
        [1, undefined, 2],
      )
    })

    it('stays dense when eight writers read, decide and append at once', async () => {
      const stream = fresh()
      const writer = async (): Promise<void> => {
        for (let written = 0; written < 5; ) {
          const version = ((await log.store.latest(stream))?.events[0]?.version ?? 0) + 1
          const { won } = await race([() => log.store.append(commitTo(stream, { version }))])
          written += won.length
        }
      }
      await Promise.all(range(8).map(writer))
      const commits = await log.store.read(stream)
      assert.equal(commits.length, 40)
      assertInvariants(commits, { dense: false })
    })
  })
}
