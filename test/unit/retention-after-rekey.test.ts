import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type EventStore, type Payload, silent } from '../../lib/index.ts'
import { rekeyLog } from '../../lib/rekey/rekey.ts'
import { LogRetention } from '../../lib/retention/retention.ts'
import { retentionPolicy } from '../../lib/retention/retention-options.ts'
import { alone, keysNamed, withKeys } from '../contract/provider-adapter/adapter-under-test.ts'
import { FakeClock } from '../support/fake-clock.ts'

const DAY = 86_400_000
const ROTATED = keysNamed(['s2', 's1'], ['h2', 'h1'])

describe('retention after a rekey', () => {
  let clock: FakeClock
  let store: MemoryEventStore
  let retention: LogRetention

  beforeEach(() => {
    clock = new FakeClock()
    store = new MemoryEventStore({ keys: keysNamed(['s1'], ['h1']), clock })
    const policy = retentionPolicy({ statesMs: 2 * DAY })
    retention = new LogRetention({ store: withKeys(store, ROTATED), clock, logger: silent, policy, rules: [] })
  })
  afterEach(() => store.close())

  const put = (at: EventStore, model: string, payload: Payload): Promise<void> =>
    alone(at, clock).run((adapter) => adapter(model).upsert('one', payload, 0))

  /** What is left of a model. */
  async function left(model: string): Promise<number> {
    const commits = await store.readAll({ after: 0, limit: 100 })
    return commits.filter(({ events }) => events.some(({ stream }) => stream.startsWith(`${model}:`))).length
  }

  /** Days go by, on each of which something happens. */
  async function pass(days: number, each: () => Promise<void> = async () => {}): Promise<void> {
    for (let day = 0; day < days; day++) {
      await clock.advance(DAY)
      await store.append({ events: [{ stream: 'days', type: 'passed', data: {} }] })
      await retention.run()
      await each()
    }
  }

  it('never brings back what was replaced shortly before', async () => {
    await put(store, 'Client', { client_id: 'one', client_secret: 'leaked' })
    await clock.advance(DAY)
    await put(store, 'Client', { client_id: 'one', client_secret: 'new' })
    await rekeyLog({ store: withKeys(store, ROTATED), clock })
    await pass(8, async () => {
      const found = await alone(withKeys(store, ROTATED), clock).run((adapter) => adapter('Client').find('one'))
      assert.equal(found?.['client_secret'], 'new')
    })
    assert.equal(await left('Client'), 1)
  })

  it('leaves a client that was removed free to be stored again, where nothing of it is left', async () => {
    const clients = (): EventStore => withKeys(store, ROTATED)
    await put(clients(), 'Client', { client_id: 'one', client_secret: 'first' })
    await alone(clients(), clock).run((adapter) => adapter('Client').destroy('one'))
    await pass(8)
    assert.equal(await left('Client'), 0)
    await put(clients(), 'Client', { client_id: 'one', client_secret: 'second' })
    await put(clients(), 'Client', { client_id: 'one', client_secret: 'third' })
    const found = await alone(clients(), clock).run((adapter) => adapter('Client').find('one'))
    assert.equal(found?.['client_secret'], 'third')
  })

  it('leaves nothing of what was stored at the same moment as its state was stored again', async () => {
    const exp = Math.floor(clock.now() / 1_000) + 3_600
    await put(store, 'Thing', { jti: 'one', exp })
    const rekeying = withKeys(store, ROTATED)
    let isFirst = true
    rekeying.beforeAppend = async () => {
      if (isFirst) await put(withKeys(store, ROTATED), 'Thing', { jti: 'one', exp, is: 'newer' })
      isFirst = false
    }
    await rekeyLog({ store: rekeying, clock })
    assert.equal(rekeying.commits.length, 1)
    await pass(8)
    assert.equal(await left('Thing'), 0)
  })
})
