import assert from 'node:assert/strict'
import type { Appended } from '../../../lib/log/commit.ts'
import { only, present, race, rejectsWith } from './expect.ts'
import { Follower } from './follower.ts'
import { assertHoldsOnce, assertInvariants, wholeLog } from './invariants.ts'
import { commitTo, fresh, type MakeLog, range, withLog } from './log-under-test.ts'

export function sharedContract(makeLog: MakeLog): void {
  describe('a log that two processes have open', () => {
    it('may be opened by several for the first time at once', async () => {
      await withLog(makeLog, async (open) => {
        const stores = await Promise.all(range(6).map(() => open()))
        const stream = fresh()
        const all = await Promise.all(stores.map((store) => store.append(commitTo(stream))))
        for (const store of stores) assertHoldsOnce(await store.read(stream), all)
      })
    })

    it('shows each what the other had acknowledged', async () => {
      await withLog(makeLog, async (open) => {
        const [one, two] = [await open(), await open()]
        for (const n of range(20)) {
          const [writer, reader] = n % 2 === 0 ? [one, two] : [two, one]
          const stream = fresh()
          const { id, position } = await writer.append(commitTo(stream))
          assert.equal((await reader.latest(stream))?.id, id)
          assert.ok((await reader.append(commitTo(stream))).position > position)
        }
      })
    })

    it('gives each of 1,000 commits of both exactly one position, and followers of both the same order', async () => {
      await withLog(makeLog, async (open) => {
        const [one, two] = [await open(), await open()]
        const followers = [new Follower(one, 0), new Follower(two, 0)]
        const stream = fresh()
        // A hundred at a time in each process. On a slow server all at once would take longer than an append may wait.
        const writer = async (n: number): Promise<Appended[]> => {
          const appended: Appended[] = []
          for (const _ of range(5)) {
            appended.push(await (n % 2 === 0 ? one : two).append(commitTo(n % 5 === 0 ? stream : fresh())))
          }
          return appended
        }
        const all = (await Promise.all(range(200).map(writer))).flat()
        await Promise.all(followers.map((follower) => follower.saw(all.map(({ id }) => id))))
        await Promise.all(followers.map((follower) => follower.stop()))
        const commits = await wholeLog(one)
        assert.equal(commits.length, 1000)
        assertHoldsOnce(commits, all)
        assertInvariants(commits, { dense: false })
        for (const follower of followers) assert.deepEqual(follower.commits, commits)
      })
    })

    it('gives a mark to exactly one of 32 that want it in both', async () => {
      await withLog(makeLog, async (open) => {
        const stores = [await open(), await open()]
        for (const mark of range(5).map(() => fresh('code'))) {
          const stream = fresh()
          const calls = range(16).flatMap((n) =>
            stores.map(
              (store) => () => store.append({ ...commitTo(stream, { data: { n } }), claims: [{ kind: 'once', mark }] }),
            ),
          )
          const { won, lost } = await race(calls)
          assert.deepEqual(
            lost,
            range(31).map(() => 'ALREADY_CLAIMED'),
          )
          for (const store of stores) assert.equal(only(await store.read(stream)).id, only(won).id)
        }
      })
    })

    it('keeps versions dense when both write them', async () => {
      await withLog(makeLog, async (open) => {
        const [one, two] = [await open(), await open()]
        const stream = fresh()
        await one.append(commitTo(stream, { version: 1 }))
        await rejectsWith('CONCURRENCY', () => two.append(commitTo(stream, { version: 1 })))
        const writer = async (store: typeof one): Promise<void> => {
          for (let written = 0; written < 10; ) {
            const version = (present(await store.latest(stream)).events[0]?.version ?? 0) + 1
            written += (await race([() => store.append(commitTo(stream, { version }))])).won.length
          }
        }
        await Promise.all([one, two, one, two].map(writer))
        const commits = await two.read(stream)
        assert.equal(commits.length, 41)
        assertInvariants(commits, { dense: false })
      })
    })

    it('has one lease for both', async () => {
      await withLog(makeLog, async (open) => {
        const stores = [await open(), await open()]
        await present(stores[0]).append(commitTo(fresh()))
        const made = await Promise.all(range(16).map((n) => present(stores[n % 2]).consumers.ensure('planner', 1)))
        for (const record of made) assert.deepEqual(record, made[0])
        const taken = await Promise.all(
          range(16).map((n) => present(stores[n % 2]).consumers.take(present(made[0]), `taker-${n}`)),
        )
        const winner = only(taken.filter((record) => record !== undefined))
        for (const { consumers } of stores) assert.deepEqual(await consumers.get('planner'), winner)
      })
    })

    it('hands each row of work to one of both', async () => {
      await withLog(makeLog, async (open) => {
        const stores = [await open(), await open()]
        const rows = range(100).map((n) => ({ id: `${n}`, lane: `rp-${n % 5}`, dueAt: n, body: {} }))
        await Promise.all(stores.map((store) => store.work('jobs').add(rows)))
        const claimed: string[] = []
        const claimUntilNothing = async (holder: string, n: number): Promise<void> => {
          for (;;) {
            const work = await present(stores[n % 2])
              .work('jobs')
              .claim({ holder, now: 1000, limit: 5, perLane: 2 })
            if (work.length === 0) return
            claimed.push(...work.map(({ id }) => id))
          }
        }
        await Promise.all(range(8).map((n) => claimUntilNothing(`worker-${n}`, n)))
        await claimUntilNothing('last', 0)
        assert.equal(claimed.length, 100)
        assert.equal(new Set(claimed).size, 100)
      })
    })

    it('goes on for one when the other closes', async () => {
      await withLog(makeLog, async (open) => {
        const [one, two] = [await open(), await open()]
        const follower = new Follower(two, 0)
        await one.append(commitTo(fresh()))
        await one.close()
        const { id } = await two.append(commitTo(fresh()))
        await follower.saw([id])
        await follower.stop()
        assert.equal(follower.commits.length, 2)
      })
    })
  })
}
