import assert from 'node:assert/strict'
import type { EventStore } from '../../../lib/log/event-store.ts'
import { present, rejectsWith } from './expect.ts'
import { assertHoldsOnce, wholeLog } from './invariants.ts'
import { type Capabilities, commitTo, fresh, type MakeLog, range, withLog } from './log-under-test.ts'

const calls: readonly [name: string, call: (store: EventStore) => unknown][] = [
  ['append', (store) => store.append(commitTo(fresh()))],
  ['latest', (store) => store.latest(fresh())],
  ['read', (store) => store.read(fresh())],
  ['readStreams', (store) => store.readStreams([fresh()])],
  ['readAll', (store) => store.readAll({ after: 0, limit: 1 })],
  ['end', (store) => store.end()],
  ['subscribe', (store) => store.subscribe({ after: 0 })[Symbol.asyncIterator]().next()],
  ['consumers.list', (store) => store.consumers.list()],
  ['consumers.ensure', (store) => store.consumers.ensure('c', 0)],
  ['work().get', (store) => store.work('jobs').get('j')],
  ['work().add', (store) => store.work('jobs').add([])],
]

export function closingContract(makeLog: MakeLog, { kept }: Capabilities): void {
  describe('close', () => {
    it('waits for what was appended before', async () => {
      await withLog(makeLog, async (open) => {
        const store = await open()
        const running = range(200).map(() => store.append(commitTo(fresh())))
        let acknowledged = 0
        for (const append of running)
          void append.then(() => {
            acknowledged += 1
          })
        await store.close()
        const all = await Promise.all(running)
        assert.equal(acknowledged, 200)
        if (kept) assertHoldsOnce(await wholeLog(await open()), all)
      })
    })

    it('can be called again, and at the same time', async () => {
      await withLog(makeLog, async (open) => {
        const store = await open()
        const append = store.append(commitTo(fresh()))
        let acknowledged = false
        void append.then(() => {
          acknowledged = true
        })
        const first = store.close()
        await store.close()
        assert.ok(acknowledged, 'the second close did not wait')
        await first
        await store.close()
      })
    })

    for (const [name, call] of calls) {
      it(`makes ${name} answer STORE_CLOSED`, async () => {
        await withLog(makeLog, async (open) => {
          const store = await open()
          await store.close()
          await rejectsWith('STORE_CLOSED', async () => call(store))
        })
      })
    }

    it('makes tables that were handed out before answer STORE_CLOSED', async () => {
      await withLog(makeLog, async (open) => {
        const store = await open()
        const { consumers, liveness } = store
        const work = store.work('jobs')
        const record = await consumers.ensure('planner', 0)
        const held = present(await consumers.take(record, 'me'))
        await work.add([{ id: 'a', lane: 'rp', dueAt: 1, body: {} }])
        await store.close()
        for (const late of [
          () => consumers.list(),
          () => consumers.get('planner'),
          () => consumers.take(held, 'other'),
          () => consumers.checkpoint('planner', held.token, 1),
          () => work.claim({ holder: 'me', now: 2, limit: 1, perLane: 1 }),
          () => work.get('a'),
          () => work.nextDueAt(),
          () => work.time(),
          () => work.claimOverdue({ holder: 'me', now: 1, limit: 1 }),
          () => work.hasten('rp', 1),
          () => work.open({ limit: 1 }),
          () => work.countOpen(),
          () => work.holders(),
          () => work.free('me'),
          () => liveness.beat(['me']),
          () => liveness.notify(),
        ])
          await rejectsWith('STORE_CLOSED', late)
      })
    })
  })
}
