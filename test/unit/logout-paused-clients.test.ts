import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type OperatorsState, OptionInvalidError, ProviderUnfitError } from '../../lib/index.ts'
import { PausedClients } from '../../plugins/back-channel-logout/delivery/paused-clients.ts'
import { hostOf } from '../support/host.ts'
import { OP } from '../support/planning.ts'

describe('the RPs that operators have paused', () => {
  let store: MemoryEventStore
  let woken: number
  let paused: PausedClients

  beforeEach(async () => {
    store = new MemoryEventStore()
    woken = 0
    paused = new PausedClients(() => woken++)
    await paused.start(processOf().operators)
  })
  afterEach(() => {
    paused.stop()
    return store.close()
  })

  it('are listed by id, with who paused them, also those that another process has paused just now', async () => {
    const elsewhere = new PausedClients(() => {})
    await elsewhere.start(processOf().operators)
    for (const client of ['b', 'd', 'a', 'c']) await elsewhere.record(PAUSED, { client }, { actor: 'anna' })
    await elsewhere.record(RESUMED, { client: 'd' }, { actor: 'ben' })
    assert.deepEqual(
      (await paused.list()).map(({ clientId, actor }) => `${clientId} by ${actor}`),
      ['a by anna', 'b by anna', 'c by anna'],
    )
    elsewhere.stop()
  })

  it('are sent to again as soon as it is known that one was resumed, and not before', async () => {
    await paused.record(PAUSED, { client: 'a' }, { actor: 'anna' })
    await paused.record(PAUSED, { client: 'b' }, { actor: 'anna' })
    assert.deepEqual([[...paused.ids], woken], [['a', 'b'], 0])
    await paused.record(RESUMED, { client: 'a' }, { actor: 'anna' })
    assert.deepEqual([[...paused.ids], woken], [['b'], 1])
  })

  it('change only by somebody’s name', async () => {
    for (const actor of ['', undefined as unknown as string])
      await assert.rejects(paused.record(PAUSED, { client: 'a' }, { actor }), OptionInvalidError)
    assert.deepEqual(await paused.list(), [])
  })

  it('are refused with PROVIDER_UNFIT before the start and after the stop', async () => {
    const early = new PausedClients(() => {})
    paused.stop()
    for (const one of [early, paused]) {
      await assert.rejects(one.list(), ProviderUnfitError)
      await assert.rejects(one.record(PAUSED, { client: 'a' }, { actor: 'anna' }), ProviderUnfitError)
    }
  })

  /** What a process of the OP follows. */
  function processOf(): { readonly operators: OperatorsState } {
    return hostOf(store, { issuer: OP } as Parameters<typeof hostOf>[1])
  }
})

const PAUSED = 'delivery_pause.paused'
const RESUMED = 'delivery_pause.resumed'
