import assert from 'node:assert/strict'
import { present, rejectsWith } from './expect.ts'
import { Follower } from './follower.ts'
import { wholeLog } from './invariants.ts'
import { commitTo, event, fresh, type MakeLog, range, withLog } from './log-under-test.ts'

export function keptContract(makeLog: MakeLog): void {
  describe('a log that is opened again', () => {
    it('holds what it held, and goes on above it', async () => {
      await withLog(makeLog, async (open) => {
        const first = await open()
        const [stream, index] = [fresh('é😀.$'), fresh('uid')]
        for (const n of range(50))
          await first.append({ ...commitTo(stream, { also: [index], data: { n, 'a.$b': '\0"\n' } }), expiresAt: n })
        const before = await wholeLog(first)
        const end = await first.end()
        await first.close()
        const second = await open()
        assert.deepEqual(await wholeLog(second), before)
        assert.deepEqual(await second.read(index), before)
        assert.ok((await second.end()) >= end)
        const { position } = await second.append(commitTo(stream))
        assert.ok(position > end)
        assert.equal((await second.latest(stream))?.position, position)
      })
    })

    it('remembers marks, versions and successors', async () => {
      await withLog(makeLog, async (open) => {
        const first = await open()
        const [stream, mark] = [fresh(), fresh('code')]
        const once = { ...commitTo(fresh()), claims: [{ kind: 'once', mark }] } as const
        const follows = { ...commitTo(stream), claims: [{ kind: 'follows', stream, after: 'x' }] } as const
        await first.append(once)
        await first.append(follows)
        await first.append({ events: [event(stream, { version: 1 })] })
        await first.close()
        const second = await open()
        await rejectsWith('ALREADY_CLAIMED', () => second.append(once))
        await rejectsWith('CONCURRENCY', () => second.append(follows))
        await rejectsWith('CONCURRENCY', () => second.append(commitTo(stream, { version: 1 })))
        await second.append(commitTo(stream, { version: 2 }))
      })
    })

    it('delivers what was appended before and after to a subscriber', async () => {
      await withLog(makeLog, async (open) => {
        const first = await open()
        const ids = [(await first.append(commitTo(fresh()))).id, (await first.append(commitTo(fresh()))).id]
        await first.close()
        const second = await open()
        const follower = new Follower(second, 0)
        ids.push((await second.append(commitTo(fresh()))).id)
        await follower.saw(ids)
        await follower.stop()
        assert.deepEqual(follower.ids, ids)
      })
    })

    it('remembers checkpoints and raises tokens on', async () => {
      await withLog(makeLog, async (open) => {
        const first = await open()
        await Promise.all(range(50).map(() => first.append(commitTo(fresh()))))
        const held = present(await first.consumers.take(await first.consumers.ensure('planner', 0), 'before'))
        await first.consumers.checkpoint('planner', held.token, 42)
        await first.close()
        const { consumers } = await open()
        const seen = present(await consumers.get('planner'))
        assert.equal(seen.position, 42)
        const taken = present(await consumers.take(seen, 'after'))
        assert.ok(taken.token > held.token)
        assert.equal(await consumers.checkpoint('planner', held.token, 50), false)
      })
    })

    it('remembers that a consumer was removed', async () => {
      await withLog(makeLog, async (open) => {
        const first = await open()
        assert.equal(await first.consumers.remove(await first.consumers.ensure('gone', 0)), true)
        await first.consumers.ensure('left', 0)
        await first.close()
        const { consumers } = await open()
        assert.deepEqual(
          (await consumers.list()).map(({ name }) => name),
          ['left'],
        )
      })
    })

    it('remembers work, what was done of it and what was swept', async () => {
      await withLog(makeLog, async (open) => {
        const all = { holder: 'me', now: 1000, limit: 10, perLane: 10 }
        const first = await open()
        await first.work('jobs').add(range(4).map((n) => ({ id: `${n}`, lane: 'rp', dueAt: n, body: { n } })))
        const [a, b, c] = await first.work('jobs').claim({ ...all, limit: 3 })
        await first.work('jobs').finish(present(a), 100)
        assert.equal(await first.work('jobs').sweep(200), 1)
        await first.work('jobs').finish(present(b), 300)
        await first.work('jobs').putBack(present(c), { dueAt: 5000, body: { attempt: 1 } })
        await first.close()
        const table = (await open()).work('jobs')
        assert.equal(await table.get('0'), undefined)
        assert.equal((await table.get('1'))?.doneAt, 300)
        assert.deepEqual((await table.get('2'))?.body, { attempt: 1 })
        assert.deepEqual(
          (await table.claim(all)).map(({ id }) => id),
          ['3'],
        )
        assert.equal(await table.finish(present(c), 400), false)
      })
    })
  })
}
