import assert from 'node:assert/strict'
import type { ConsumerRecord } from '../../../lib/log/consumer-table.ts'
import type { EventStore } from '../../../lib/log/event-store.ts'
import { only, present, rejectsWith } from './expect.ts'
import { type Capabilities, commitTo, fresh, type MakeLog, openedLog, range, withLog } from './log-under-test.ts'

/** A consumer whose lease is held. */
async function held(store: EventStore, holder: string, position: number = 0): Promise<ConsumerRecord> {
  return present(await store.consumers.take(await store.consumers.ensure(fresh('consumer'), position), holder))
}

export function consumersContract(makeLog: MakeLog, capabilities: Capabilities): void {
  describe('the table of consumers', () => {
    const log = openedLog(makeLog)
    before('append as many commits as the positions below need', async () => {
      await Promise.all(range(100).map(() => log.store.append(commitTo(fresh()))))
    })

    it('makes a consumer once, where it was told to begin first', async () => {
      const name = fresh('consumer')
      assert.equal(await log.store.consumers.get(name), undefined)
      const made = await log.store.consumers.ensure(name, 7)
      assert.equal(made.name, name)
      assert.equal(made.position, 7)
      assert.equal(made.holder, undefined)
      assert.deepEqual(await log.store.consumers.ensure(name, 99), made)
      assert.deepEqual(await log.store.consumers.get(name), made)
    })

    it('makes it once for 16 that ask at the same time', async () => {
      const name = fresh('consumer.with$dots')
      const made = await Promise.all(range(16).map(() => log.store.consumers.ensure(name, 3)))
      for (const record of made) assert.deepEqual(record, made[0])
      only((await log.store.consumers.list()).filter((record) => record.name === name))
    })

    it('lists all by name', async () => {
      const names = ['b', 'a', 'c'].map((letter) => fresh(`listed-${letter}`))
      for (const name of names) await log.store.consumers.ensure(name, 0)
      const listed = (await log.store.consumers.list()).map(({ name }) => name)
      assert.deepEqual(listed, [...listed].sort())
      assert.deepEqual(
        listed.filter((name) => name.startsWith('listed-')),
        [...names].sort(),
      )
    })

    it('leases a free consumer, with a higher token and its checkpoint', async () => {
      const seen = await log.store.consumers.ensure(fresh('consumer'), 5)
      const record = present(await log.store.consumers.take(seen, 'me'))
      assert.equal(record.holder, 'me')
      assert.equal(record.position, 5)
      assert.ok(record.token > seen.token)
      assert.deepEqual(await log.store.consumers.get(seen.name), record)
    })

    it('leases nothing that is not there', async () => {
      const ghost = { name: fresh('consumer'), token: 0, beat: 0, position: 0 }
      assert.equal(await log.store.consumers.take(ghost, 'me'), undefined)
      assert.equal(await log.store.consumers.get(ghost.name), undefined)
    })

    it('gives the lease to exactly one of 16 that saw the same', async () => {
      const seen = await log.store.consumers.ensure(fresh('consumer'), 0)
      const taken = await Promise.all(range(16).map((n) => log.store.consumers.take(seen, `taker-${n}`)))
      const winner = only(taken.filter((record) => record !== undefined))
      assert.deepEqual(await log.store.consumers.get(seen.name), winner)
    })

    it('gives a lease away whose record is as it was seen, and to exactly one', async () => {
      const seen = await held(log.store, 'dead')
      const taken = await Promise.all(range(16).map((n) => log.store.consumers.take(seen, `heir-${n}`)))
      const winner = only(taken.filter((record) => record !== undefined))
      assert.ok(winner.token > seen.token)
    })

    it('gives no lease away whose holder moved its checkpoint or changed since it was seen', async () => {
      const { consumers } = log.store
      const seen = await held(log.store, 'alive')
      assert.equal(await consumers.checkpoint(seen.name, seen.token, seen.position), true)
      assert.equal(await consumers.take(seen, 'thief'), undefined)
      const latest = present(await consumers.get(seen.name))
      assert.ok(await consumers.take(latest, 'heir'))
      assert.equal(await consumers.take(latest, 'thief'), undefined)
      assert.equal((await consumers.get(seen.name))?.holder, 'heir')
    })

    it('moves the checkpoint forward and never back', async () => {
      const { consumers } = log.store
      const { name, token } = await held(log.store, 'me', 10)
      assert.equal(await consumers.checkpoint(name, token, 20), true)
      await consumers.checkpoint(name, token, 15)
      assert.equal((await consumers.get(name))?.position, 20)
      assert.equal(await consumers.checkpoint(name, token, 21), true)
      assert.equal((await consumers.get(name))?.position, 21)
    })

    it('ends at the highest of many checkpoints written at once', async () => {
      const { name, token } = await held(log.store, 'me')
      await Promise.all(range(40).map((n) => log.store.consumers.checkpoint(name, token, (n * 7) % 41)))
      assert.equal((await log.store.consumers.get(name))?.position, 40)
    })

    it('hands the checkpoint over with the lease', async () => {
      const { consumers } = log.store
      const { name, token } = await held(log.store, 'dead')
      const seen = present(await consumers.get(name))
      await consumers.checkpoint(name, token, 33)
      assert.equal(await consumers.take(seen, 'early'), undefined)
      assert.equal((await consumers.take(present(await consumers.get(name)), 'heir'))?.position, 33)
    })

    it('changes nothing for a former holder', async () => {
      const { consumers } = log.store
      const former = await held(log.store, 'former', 5)
      const heir = present(await consumers.take(former, 'heir'))
      assert.equal(await consumers.checkpoint(former.name, former.token, 50), false)
      await consumers.release(former.name, former.token)
      assert.deepEqual(await consumers.get(former.name), heir)
      assert.equal(await consumers.checkpoint(heir.name, heir.token, 6), true)
    })

    it('frees a lease that was released; the token still rises', async () => {
      const { consumers } = log.store
      const first = await held(log.store, 'me', 5)
      await consumers.release(first.name, first.token)
      const freed = present(await consumers.get(first.name))
      assert.equal(freed.holder, undefined)
      assert.equal(freed.position, 5)
      assert.equal(await consumers.checkpoint(first.name, first.token, 9), false)
      assert.equal(await consumers.take(first, 'late'), undefined)
      assert.ok(present(await consumers.take(freed, 'next')).token > first.token)
    })

    it('removes one that is as it was seen, and a later one of the same name begins anew', async () => {
      const { consumers } = log.store
      const { name } = await held(log.store, 'gone', 20)
      assert.equal(await consumers.remove(present(await consumers.get(name))), true)
      assert.equal(await consumers.get(name), undefined)
      assert.equal(
        (await consumers.list()).some((one) => one.name === name),
        false,
      )
      const again = await consumers.ensure(name, 3)
      assert.deepEqual({ ...again, token: 0 }, { name, token: 0, beat: 0, position: 3 })
      assert.equal(await consumers.remove(again), true)
      assert.equal(await consumers.remove(again), true) // done already
    })

    it('lets the former holder of one that was removed change nothing of a later one', async () => {
      const { consumers } = log.store
      const former = await held(log.store, 'paused', 5)
      assert.equal(await consumers.remove(former), true)
      const heir = present(await consumers.take(await consumers.ensure(former.name, 5), 'heir'))
      assert.equal(await consumers.checkpoint(former.name, former.token, 50), false)
      await consumers.release(former.name, former.token)
      assert.deepEqual(await consumers.get(former.name), heir)
    })

    it('removes none that has changed since: its holder lives, or another one has it', async () => {
      const { consumers } = log.store
      const seen = await held(log.store, 'alive', 5)
      await consumers.checkpoint(seen.name, seen.token, 6)
      assert.equal(await consumers.remove(seen), false)
      const latest = present(await consumers.get(seen.name))
      const heir = present(await consumers.take(latest, 'heir'))
      assert.equal(await consumers.remove(latest), false)
      assert.deepEqual(await consumers.get(seen.name), heir)
      await consumers.release(heir.name, heir.token)
      assert.equal(await consumers.remove(heir), false)
      assert.equal(await consumers.remove(present(await consumers.get(seen.name))), true)
    })

    it('answers false for a consumer that is not there', async () => {
      const name = fresh('consumer')
      assert.equal(await log.store.consumers.checkpoint(name, 1, 1), false)
      await log.store.consumers.release(name, 1)
      assert.equal(await log.store.consumers.get(name), undefined)
    })
  })

  checkpointAheadContract(makeLog, capabilities)
}

function checkpointAheadContract(makeLog: MakeLog, { losesCommits = false }: Capabilities): void {
  describe("a checkpoint beyond the log's end", () => {
    const log = openedLog(makeLog)
    before('append three commits', async () => {
      for (const _ of range(3)) await log.store.append(commitTo(fresh()))
    })

    it('is refused where a consumer would begin there, and the consumer is not made', async () => {
      const name = fresh('consumer')
      const end = await log.store.end()
      const error = await rejectsWith('CHECKPOINT_AHEAD', () => log.store.consumers.ensure(name, end + 1))
      assert.ok(error.message.includes(`consumer ${name} is ${end + 1}, the log ends at ${end}`), error.message)
      assert.equal(await log.store.consumers.get(name), undefined)
      assert.equal((await log.store.consumers.ensure(name, end)).position, end)
    })

    it('is refused where a holder would move to it, and neither checkpoint nor beat change', async () => {
      const { consumers } = log.store
      const { name, token } = await held(log.store, 'me', 1)
      const before = await consumers.get(name)
      await rejectsWith('CHECKPOINT_AHEAD', async () => consumers.checkpoint(name, token, (await log.store.end()) + 1))
      assert.deepEqual(await consumers.get(name), before)
      const { position } = await log.store.append(commitTo(fresh()))
      assert.equal(await consumers.checkpoint(name, token, position), true)
      assert.equal((await consumers.get(name))?.position, position)
    })

    it('is no matter to one that has lost the lease: it is told that', async () => {
      const { consumers } = log.store
      const former = await held(log.store, 'former', 1)
      present(await consumers.take(former, 'heir'))
      assert.equal(await consumers.checkpoint(former.name, former.token, (await log.store.end()) + 1), false)
    })

    if (!losesCommits) return
    it('is refused where the log was restored from an older copy than its consumers, and nobody gets the lease', async () => {
      await withLog(makeLog, async (open, { loseCommitsAfter }) => {
        const first = await open()
        for (const _ of range(20)) await first.append(commitTo(fresh()))
        const before = await held(first, 'before', 0)
        const end = await first.end()
        await first.consumers.checkpoint(before.name, before.token, end)
        await first.consumers.release(before.name, before.token)
        await first.close()
        await present(loseCommitsAfter)(5)
        const second = await open()
        const seen = present(await second.consumers.get(before.name))
        assert.equal(seen.position, end)
        await rejectsWith('CHECKPOINT_AHEAD', () => second.consumers.ensure(before.name, 0))
        await rejectsWith('CHECKPOINT_AHEAD', () => second.consumers.take(seen, 'after'))
        assert.deepEqual(await second.consumers.get(before.name), seen)
      })
    })
  })
}
