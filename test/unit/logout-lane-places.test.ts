import assert from 'node:assert/strict'
import fc from 'fast-check'
import { LanePlaces, type Place } from '../../plugins/back-channel-logout/delivery/lane-places.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('places at RPs', () => {
  /** Who has a place, and who was turned away. */
  function visitor(places: LanePlaces, lane: string): { place?: Place | undefined; isDone: boolean } {
    const visit: { place?: Place | undefined; isDone: boolean } = { isDone: false }
    void places.enter(lane).then((place) => Object.assign(visit, { place, isDone: true }))
    return visit
  }

  it('are taken up to the limit of the lane; who waits gets the next one that is left', async () => {
    const places = new LanePlaces(100, () => 2)
    const [a, b, c, d] = ['rp', 'rp', 'rp', 'other'].map((lane) => visitor(places, lane))
    await turn()
    assert.deepEqual(
      [a, b, c, d].map((visit) => visit?.place !== undefined),
      [true, true, false, true],
    )
    assert.deepEqual([places.inFlight, places.waiting], [3, 1])
    a?.place?.leave()
    a?.place?.leave()
    await turn()
    assert.deepEqual([c?.place !== undefined, places.inFlight, places.waiting], [true, 3, 0])
  })

  it('are no more in all than there may be: then lanes wait in turn', async () => {
    const places = new LanePlaces(2, () => 2)
    const [a, , c, d] = ['one', 'one', 'two', 'three'].map((lane) => visitor(places, lane))
    await turn()
    assert.deepEqual([places.inFlight, places.waiting], [2, 2])
    a?.place?.leave()
    await turn()
    assert.deepEqual([c?.isDone, d?.isDone, places.inFlight], [true, false, 2])
  })

  it('let in more as soon as the lane may have more', async () => {
    let most = 1
    const places = new LanePlaces(100, () => most)
    const visits = ['rp', 'rp', 'rp', 'rp'].map((lane) => visitor(places, lane))
    await turn()
    most = 3
    visits[0]?.place?.leave()
    await turn()
    assert.deepEqual([visits.filter(({ isDone }) => isDone).length, places.inFlight], [4, 3])
  })

  it('turn away who waits in a lane, or in any', async () => {
    const places = new LanePlaces(2, () => 1)
    const visits = ['one', 'one', 'two', 'two', 'three'].map((lane) => visitor(places, lane))
    places.turnAway('one')
    await turn()
    assert.deepEqual(
      visits.map(({ isDone }) => isDone),
      [true, true, true, false, false],
    )
    assert.equal(visits[1]?.place, undefined)
    places.turnAllAway()
    await turn()
    assert.deepEqual([visits.every(({ isDone }) => isDone), places.waiting, places.inFlight], [true, 0, 2])
  })

  it('are never more than there are, and nobody waits while one is free', async () => {
    const step = fc.record({
      lane: fc.constantFrom('one', 'two', 'three'),
      what: fc.constantFrom('enter', 'enter', 'leave', 'away'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), async (steps, most) => {
        const limits: Readonly<Record<string, number>> = { one: 1, two: 2, three: 3 }
        const places = new LanePlaces(most, (lane) => limits[lane] as number)
        const visits: { lane: string; visit: ReturnType<typeof visitor> }[] = []
        const inside = (lane?: string) => visits.filter((one) => one.visit.place && (lane ?? one.lane) === one.lane)
        for (const { lane, what } of steps) {
          if (what === 'enter') visits.push({ lane, visit: visitor(places, lane) })
          else if (what === 'away') places.turnAway(lane)
          else {
            const [first] = inside(lane)
            first?.visit.place?.leave()
            if (first) visits.splice(visits.indexOf(first), 1)
          }
          await turn()
          assert.equal(places.inFlight, inside().length)
          assert.ok(places.inFlight <= most)
          const waiting = visits.filter(({ visit }) => !visit.isDone)
          assert.equal(places.waiting, waiting.length)
          for (const name of Object.keys(limits)) {
            assert.ok(inside(name).length <= (limits[name] as number))
            const isFull = places.inFlight === most || inside(name).length === limits[name]
            assert.ok(isFull || waiting.every((one) => one.lane !== name), 'nobody waits for a place that is free')
          }
        }
      }),
      { numRuns: 200 },
    )
  })
})
