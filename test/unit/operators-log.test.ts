import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type Clock, ConcurrencyError, type OperatorsState } from '../../lib/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { hostOf } from '../support/host.ts'
import { OP } from '../support/planning.ts'
import { SteeredStore } from '../support/steered-store.ts'

describe('what an operator sets while others set something as well', () => {
  let store: SteeredStore
  let operators: OperatorsState
  let tries: number
  let pauses: number[]

  beforeEach(() => {
    store = new SteeredStore(new MemoryEventStore())
    tries = 0
    pauses = []
    const clock: Clock = Object.assign(new FakeClock(), { sleep: async (delayMs: number) => void pauses.push(delayMs) })
    operators = hostOf(store, { issuer: OP } as Parameters<typeof hostOf>[1], clock).operators
  })
  afterEach(() => store.close())

  /** So many times another one is faster. */
  function beFaster(times: number): void {
    store.beforeAppend = () => {
      if (tries++ < times) throw new ConcurrencyError('flags:system')
    }
  }

  const set = (): Promise<void> =>
    operators.record('flags', { level: 'system', type: 'flag.set', data: {}, actor: 'anna' })

  it('is recorded once nobody is faster, with pauses between the tries', async () => {
    beFaster(19)
    await set()
    assert.deepEqual([tries, store.commits.length], [20, 1])
    assert.ok(pauses.length >= 18 && pauses.every((ms) => ms >= 0 && ms <= 100), String(pauses))
  })

  it('is given up after twenty tries', async () => {
    beFaster(50)
    await assert.rejects(set(), ConcurrencyError)
    assert.deepEqual([tries, store.commits.length], [20, 0])
  })

  it('is tried once where it fails for another reason', async () => {
    store.beforeAppend = () => {
      tries++
      throw new TypeError('something is wrong with it')
    }
    await assert.rejects(set(), TypeError)
    assert.equal(tries, 1)
  })
})
