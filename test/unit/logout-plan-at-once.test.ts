import assert from 'node:assert/strict'
import type { NewEvent } from '../../lib/index.ts'
import { MOST_WAITING, PlanAtOnce } from '../../plugins/back-channel-logout/delivery/plan-at-once.ts'
import { toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { registered, terminated } from '../support/session-log.ts'

const END: readonly NewEvent[] = [
  { stream: 'Session:cookie', type: 'destroyed', data: {} },
  toEvent('uid', terminated()),
]

describe('planning at once what this process commits', () => {
  /** The positions of each plan, and what ends it. */
  let plans: { readonly positions: number[]; readonly end: (error?: Error) => void }[]
  let isPlanner: boolean
  let atOnce: PlanAtOnce

  beforeEach(() => {
    plans = []
    isPlanner = false
    atOnce = new PlanAtOnce(
      (commits) =>
        new Promise((resolve, reject) => {
          plans.push({
            positions: commits.map(({ position }) => position),
            end: (error) => (error ? reject(error) : resolve()),
          })
        }),
      () => isPlanner,
    )
  })

  const committed = (position: number, events = END): void => atOnce.committed({ position, id: `${position}` }, events)
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  const positions = (): number[][] => plans.map((one) => one.positions)

  it('plans an end as soon as it is stored', () => {
    committed(7)
    assert.deepEqual(positions(), [[7]])
  })

  it('plans nothing of a commit that ends nothing', () => {
    committed(7, [toEvent('uid', registered('rp', 'sid'))])
    assert.deepEqual(plans, [])
  })

  it('leaves it to the planner where that is this process', () => {
    isPlanner = true
    committed(7)
    assert.deepEqual(plans, [])
  })

  it('makes one plan at a time, of all that came meanwhile', async () => {
    committed(1)
    committed(2)
    committed(3)
    assert.deepEqual(positions(), [[1]])
    plans[0]?.end()
    await settled()
    assert.deepEqual(positions(), [[1], [2, 3]])
    plans[1]?.end()
    await settled()
    committed(4)
    assert.deepEqual(positions(), [[1], [2, 3], [4]])
  })

  it('goes on after a plan that failed', async () => {
    committed(1)
    committed(2)
    plans[0]?.end(new Error('no'))
    await settled()
    assert.deepEqual(positions(), [[1], [2]])
  })

  it('leaves what is too much for it to the planner', async () => {
    for (let position = 0; position <= MOST_WAITING + 10; position++) committed(position)
    plans[0]?.end()
    await settled()
    assert.equal(plans[1]?.positions.length, MOST_WAITING)
  })

  it('stops when what it plans is planned, and plans nothing more', async () => {
    committed(1)
    committed(2)
    let isStopped = false
    const stopped = atOnce.stop().then(() => {
      isStopped = true
    })
    await settled()
    assert.equal(isStopped, false)
    plans[0]?.end()
    await stopped
    committed(3)
    assert.deepEqual(positions(), [[1]])
  })
})
