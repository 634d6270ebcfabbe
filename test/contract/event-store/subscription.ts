import assert from 'node:assert/strict'
import type { Appended, Commit } from '../../../lib/log/commit.ts'
import { Follower } from './follower.ts'
import { assertInvariants, wholeLog } from './invariants.ts'
import { commitTo, fresh, type MakeLog, openedLog, range, withLog } from './log-under-test.ts'

function idsOf(commits: readonly Appended[]): string[] {
  return commits.map(({ id }) => id)
}

export function subscriptionContract(makeLog: MakeLog): void {
  describe('a subscription', () => {
    const log = openedLog(makeLog)
    const appended: Appended[] = []
    before('append 30 commits', async () => {
      for (const _ of range(30)) appended.push(await log.store.append(commitTo(fresh())))
    })

    it('from 0 delivers everything, in order, as it is read', async () => {
      const follower = new Follower(log.store, 0)
      await follower.saw(idsOf(appended))
      await follower.stop()
      assert.deepEqual(follower.commits, await wholeLog(log.store))
    })

    it('from the middle delivers what comes after it', async () => {
      const follower = new Follower(log.store, appended[14]?.position ?? 0)
      await follower.saw(idsOf(appended.slice(15)))
      await follower.stop()
      assert.deepEqual(follower.ids, idsOf(await wholeLog(log.store, appended[14]?.position)))
    })

    it('from the end delivers only what is appended later', async () => {
      const follower = new Follower(log.store, await log.store.end())
      const later = await log.store.append(commitTo(fresh()))
      await follower.saw([later.id])
      await follower.stop()
      assert.deepEqual(follower.ids, [later.id])
    })

    it('delivers live, one by one', async () => {
      const follower = new Follower(log.store, await log.store.end())
      const ids: string[] = []
      for (const _ of range(20)) {
        const { id } = await log.store.append(commitTo(fresh()))
        ids.push(id)
        await follower.saw([id])
      }
      await follower.stop()
      assert.deepEqual(follower.ids, ids)
    })

    it('hands out whole commits in batches that are never empty', async () => {
      let batches = 0
      for await (const batch of log.store.subscribe({ after: 0 })) {
        batches += 1
        assert.ok(batch.length > 0)
        assertInvariants(batch, { dense: false })
        if (batch.some(({ id }) => id === appended.at(-1)?.id)) break
      }
      assert.ok(batches > 0)
    })

    it('begins at the beginning for who asks for what lies before it', async () => {
      const [first] = await log.store.readAll({ after: 0, limit: 1 })
      for await (const [commit] of log.store.subscribe({ after: -7 })) {
        assert.equal(commit?.id, first?.id)
        break
      }
    })

    it('waits for a slow reader and skips nothing meanwhile', async () => {
      const from = await log.store.end()
      const { id: first } = await log.store.append(commitTo(fresh()))
      const ids = [first]
      const seen: string[] = []
      for await (const batch of log.store.subscribe({ after: from })) {
        seen.push(...idsOf(batch))
        if (ids.length === 1) for (const _ of range(10)) ids.push((await log.store.append(commitTo(fresh()))).id)
        if (seen.length >= ids.length) break
      }
      assert.deepEqual(seen, ids)
    })

    it('delivers more than anybody would put into one batch', async () => {
      const from = await log.store.end()
      const all = await Promise.all(range(1300).map(() => log.store.append(commitTo(fresh()))))
      const follower = new Follower(log.store, from)
      await follower.saw(idsOf(all))
      await follower.stop()
      assert.deepEqual(follower.ids, idsOf(await wholeLog(log.store, from)))
    })

    it('shows several that started at different times the same order, while 500 appends run', async () => {
      const from = await log.store.end()
      const followers = range(3).map(() => new Follower(log.store, from))
      const writers = range(10).map(async (writer) => {
        const written: Appended[] = []
        for (const n of range(50)) {
          written.push(await log.store.append(commitTo(fresh(), { data: { writer, n } })))
          if (writer === 0 && n % 10 === 5) followers.push(new Follower(log.store, from))
        }
        return written
      })
      const all = (await Promise.all(writers)).flat()
      followers.push(new Follower(log.store, from))
      await Promise.all(followers.map((follower) => follower.saw(idsOf(all))))
      await Promise.all(followers.map((follower) => follower.stop()))
      const expected: Commit[] = await wholeLog(log.store, from)
      assert.equal(expected.length, 500)
      assert.equal(followers.length, 9)
      for (const { commits } of followers) assert.deepEqual(commits, expected)
    })

    it('ends when its signal aborts while it waits', async () => {
      const follower = new Follower(log.store, await log.store.end())
      const { id } = await log.store.append(commitTo(fresh()))
      await follower.saw([id])
      await follower.stop()
    })

    it('ends when its signal aborts in the midst of a batch', async () => {
      const abort = new AbortController()
      let batches = 0
      for await (const _ of log.store.subscribe({ after: 0, signal: abort.signal })) {
        batches += 1
        abort.abort()
      }
      assert.equal(batches, 1)
    })

    it('ends at once when its signal was aborted before', async () => {
      for await (const _ of log.store.subscribe({ after: 0, signal: AbortSignal.abort() })) assert.fail('delivered')
    })

    it('ends alone: others go on', async () => {
      const from = await log.store.end()
      const [one, two] = [new Follower(log.store, from), new Follower(log.store, from)]
      await one.stop()
      const { id } = await log.store.append(commitTo(fresh()))
      await two.saw([id])
      await two.stop()
    })

    it('ends when the store closes', async () => {
      await withLog(makeLog, async (open) => {
        const store = await open()
        const follower = new Follower(store, 0)
        const { id } = await store.append(commitTo(fresh()))
        await follower.saw([id])
        await store.close()
        await follower.ended
      })
    })
  })
}
