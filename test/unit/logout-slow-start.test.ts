import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ConcurrencyLimits } from '../../plugins/back-channel-logout/delivery/concurrency-limits.ts'
import { FIRST_PLACES, grown, shrunk } from '../../plugins/back-channel-logout/delivery/slow-start.ts'

describe('the places of an RP', () => {
  it('are one more with each answer, up to the limit', () => {
    const places = [FIRST_PLACES]
    for (let answer = 0; answer < 14; answer++) places.push(grown(places.at(-1) ?? 0, 16))
    assert.deepEqual(places, [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 16])
  })

  it('are half as many after a failure, and one at least', () => {
    const places = [16]
    for (let failure = 0; failure < 6; failure++) places.push(shrunk(places.at(-1) ?? 0))
    assert.deepEqual(places, [16, 8, 4, 2, 1, 1, 1])
  })

  it('are, after anything, from one to the limit; and after as many answers, all of them', () => {
    const most = fc.integer({ min: 1, max: 64 })
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 200 }), most, (outcomes, limit) => {
        const places = new ConcurrencyLimits()
        for (const well of outcomes) {
          places.recordResult('rp', well, limit, 0)
          assert.ok(places.of('rp', limit) >= 1 && places.of('rp', limit) <= limit)
        }
        for (let answer = 0; answer < limit; answer++) places.recordResult('rp', true, limit, 0)
        assert.equal(places.of('rp', limit), limit)
      }),
    )
  })

  it("are each RP's own, and few for one that is new", () => {
    const places = new ConcurrencyLimits()
    places.recordResult('bad', false, 16, 0)
    places.recordResult('good', true, 16, 0)
    assert.deepEqual(
      ['bad', 'good', 'new'].map((lane) => places.of(lane, 16)),
      [2, 5, 4],
    )
    assert.equal(places.of('new', 3), 3)
    assert.deepEqual([...places.known(0)], ['bad', 'good'])
  })

  it('are forgotten a minute after the last answer, so that memory holds those that are busy', () => {
    const places = new ConcurrencyLimits()
    places.recordResult('old', true, 16, 0)
    places.recordResult('busy', true, 16, 1)
    assert.deepEqual([...places.known(59_999)], ['old', 'busy'])
    assert.deepEqual([...places.known(60_000)], ['busy'])
    assert.deepEqual([places.of('old', 16), places.of('busy', 16)], [4, 5])
  })
})
