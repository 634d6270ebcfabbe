import assert from 'node:assert/strict'
import type { LivenessTable, Living, Sign } from '../../../lib/log/liveness-table.ts'
import { present } from './expect.ts'
import { fresh, type MakeLog, openedLog, range } from './log-under-test.ts'

export function livenessContract(makeLog: MakeLog): void {
  describe('signs of life', () => {
    const log = openedLog(makeLog)
    let liveness: LivenessTable
    beforeEach(() => {
      liveness = log.store.liveness
    })

    const signOf = ({ signs }: Living, name: string): Sign | undefined => signs.find(({ holder }) => holder === name)

    it('are seen by everybody, and each beat shows', async () => {
      const [me, you] = [fresh('a.b$c é'), fresh('you')]
      const first = await liveness.beat([me])
      assert.equal(signOf(first, you), undefined)
      const second = await liveness.beat([you])
      assert.deepEqual(signOf(second, me), signOf(first, me))
      const third = await liveness.beat([me, you])
      for (const name of [me, you]) assert.notEqual(signOf(third, name)?.beat, signOf(second, name)?.beat)
      assert.deepEqual((await liveness.beat([])).signs, third.signs)
    })

    it('of a holder that stood still are forgotten, once', async () => {
      const dead = fresh('dead')
      const seen = present(signOf(await liveness.beat([dead]), dead))
      const forgotten = await Promise.all(range(8).map(() => liveness.forget(seen)))
      assert.deepEqual(
        forgotten.filter((done) => done),
        [true],
      )
      assert.equal(signOf(await liveness.beat([]), dead), undefined)
    })

    it('of a holder that has beaten since are kept', async () => {
      const alive = fresh('alive')
      const seen = present(signOf(await liveness.beat([alive]), alive))
      await liveness.beat([alive])
      assert.equal(await liveness.forget(seen), false)
      assert.ok(signOf(await liveness.beat([]), alive))
      assert.equal(await liveness.forget({ holder: fresh('nobody'), beat: 1 }), false)
    })

    it('of a holder that was forgotten and comes back are none that it showed before', async () => {
      const late = fresh('late')
      const seen = new Set<number>()
      for (const _ of range(4)) {
        const sign = present(signOf(await liveness.beat([late]), late))
        assert.ok(!seen.has(sign.beat))
        seen.add(sign.beat)
        assert.equal(await liveness.forget(sign), true)
      }
    })

    it('of many that beat at once are all there', async () => {
      const holders = range(40).map((n) => fresh(`one-of-many-${n}`))
      await Promise.all(holders.map((holder) => liveness.beat([holder])))
      const { signs } = await liveness.beat([])
      const beats = holders.map((holder) => signs.find((sign) => sign.holder === holder)?.beat)
      assert.equal(new Set(beats).size, 40)
    })

    it('bring word that something has changed', async () => {
      const before = (await liveness.beat([fresh('me')])).notices
      await Promise.all(range(8).map(() => liveness.notify()))
      assert.equal((await liveness.beat([])).notices, before + 8)
    })
  })
}
