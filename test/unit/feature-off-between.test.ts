import assert from 'node:assert/strict'
import fc from 'fast-check'
import { offBetween } from '../../lib/features/off-between.ts'
import type { Level, OperatorChange } from '../../lib/index.ts'

function set(at: number, enabled: boolean | undefined, level: Level = 'instance'): OperatorChange {
  const type = enabled === undefined ? 'feature.reset' : 'feature.set'
  const data = { feature: 'back_channel_logout', ...(enabled !== undefined && { enabled }) }
  return { level, type, data, actor: 'ann', at, position: at }
}

describe('the time for which a feature was off', () => {
  const CASES: readonly (readonly [string, readonly OperatorChange[], boolean, number, number, number])[] = [
    ['is nothing where it is on by configuration', [], true, 0, 100, 0],
    ['is all of it where it is off by configuration', [], false, 20, 100, 80],
    ['begins where it was switched off', [set(40, false)], true, 0, 100, 60],
    ['ends where it was switched on', [set(40, true)], false, 0, 100, 40],
    ['is what lies within the stretch', [set(10, false), set(50, true)], true, 20, 100, 30],
    ['is nothing of what lies before and after', [set(10, false), set(20, true), set(200, false)], true, 30, 100, 0],
    ['is the sum of its parts', [set(10, false), set(20, true), set(30, false), set(45, true)], true, 0, 100, 25],
    [
      'goes on under a second one who switches it off',
      [set(10, false), set(20, false), set(30, true)],
      true,
      0,
      100,
      20,
    ],
    [
      'ends where the instance is on, whatever the system is',
      [set(10, false, 'system'), set(30, true)],
      true,
      0,
      99,
      20,
    ],
    [
      'begins again where the instance’s value is reset',
      [set(0, false, 'system'), set(5, true), set(10, undefined)],
      true,
      5,
      20,
      10,
    ],
    ['is nothing where the stretch ends before it begins', [], false, 100, 50, 0],
    ['goes by the order of the log where clocks disagree', [set(50, false), set(40, true)], true, 0, 100, 0],
    [
      'counts an act from the one before it at the earliest',
      [set(50, true), set(40, false), set(60, true)],
      true,
      0,
      100,
      10,
    ],
  ]
  for (const [title, acts, configured, from, to, expected] of CASES) {
    it(title, () => assert.equal(offBetween(acts, configured, from, to), expected))
  }

  it('is the number of milliseconds at which it was off, whatever was set when', () => {
    const act = fc.tuple(
      fc.nat(30),
      fc.constantFrom(true, false, undefined),
      fc.constantFrom<Level>('system', 'instance'),
    )
    fc.assert(
      fc.property(fc.array(act), fc.boolean(), fc.nat(30), fc.nat(30), (list, configured, from, to) => {
        const acts = list.toSorted(([a], [b]) => a - b).map(([at, enabled, level]) => set(at, enabled, level))
        let off = 0
        for (let ms = from; ms < to; ms++) {
          const last = (level: Level): OperatorChange | undefined =>
            acts.findLast((one) => one.level === level && one.at <= ms)
          const value = last('instance')?.data['enabled'] ?? last('system')?.data['enabled'] ?? configured
          if (value === false) off++
        }
        assert.equal(offBetween(acts, configured, from, to), off)
      }),
    )
  })
})
