import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { LogoutOperations } from '../../plugins/back-channel-logout/index.ts'
import { FakeClock } from '../support/fake-clock.ts'

const ISSUER = 'https://op.example.com'
const PLANNER = 'projections.notifications_back_channel_logout'
const DAY = 86_400_000

describe('orders to end sessions that are not carried out', () => {
  let clock: FakeClock
  let store: MemoryEventStore
  let operations: LogoutOperations

  beforeEach(() => {
    clock = new FakeClock()
    store = new MemoryEventStore({ clock })
    operations = new LogoutOperations({ store, issuer: ISSUER, clock })
  })

  const order = async (issuer = ISSUER): Promise<string> =>
    (await new LogoutOperations({ store, issuer, clock }).terminate({ kind: 'all' }, { actor: 'anna' })).id
  const planned = async (): Promise<unknown> => store.consumers.ensure(PLANNER, await store.end())
  const states = async (): Promise<unknown[]> =>
    (await operations.openTerminations()).map(({ id, state }) => [id, state])

  it('are lost where the planner has passed them and there is no work, and waiting otherwise; those of the issuer alone', async () => {
    const passed = await order()
    await order('https://other.example.com')
    await planned()
    const later = await order()
    assert.deepEqual(await states(), [
      [later, 'waiting'],
      [passed, 'lost'],
    ])
    assert.equal(await operations.restoreTermination(later), false)
    assert.equal(await operations.restoreTermination(passed), true)
    assert.equal(await operations.restoreTermination(passed), false)
    assert.deepEqual(await states(), [
      [later, 'waiting'],
      [passed, 'waiting'],
    ])
  })

  it('are not known to be lost when they are so old that retention may have removed their end', async () => {
    const id = await order()
    await planned()
    await clock.advance(7 * DAY - 1_000)
    assert.deepEqual(await states(), [[id, 'lost']])
    await clock.advance(2_000)
    assert.deepEqual(await states(), [])
    assert.equal(await operations.restoreTermination(id), false)
  })

  it('wait, however old they are, while they lie in the table of work', async () => {
    const id = await order()
    await planned()
    assert.equal(await operations.restoreTermination(id), true)
    await clock.advance(100 * DAY)
    assert.deepEqual(await states(), [[id, 'waiting']])
  })
})
