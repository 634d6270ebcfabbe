import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { AlreadyClaimedError, type ProviderLike } from '../../lib/index.ts'
import { EndingWork } from '../../plugins/back-channel-logout/ending/ending-work.ts'
import { newTerminationJob } from '../../plugins/back-channel-logout/ending/termination-job.ts'
import type { OidcProvider } from '../../plugins/back-channel-logout/provider-internals.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { hostOf } from '../support/host.ts'
import { OP } from '../support/planning.ts'
import { SteeredStore } from '../support/steered-store.ts'
import { clientsOf } from '../support/told-clients.ts'

describe('the work of a termination', () => {
  let clock: FakeClock
  let store: SteeredStore
  let ending: EndingWork
  let attempts: number

  beforeEach(async () => {
    clock = new FakeClock()
    store = new SteeredStore(new MemoryEventStore({ clock }))
    attempts = 0
    const provider = { issuer: OP } as OidcProvider & ProviderLike
    const host = hostOf(store, provider, clock)
    const parts = { host, provider, clients: clientsOf(host), isOn: () => true, toleranceSeconds: 15 }
    ending = new EndingWork({ ...parts, onProgress: () => {} })
    await ending.start()
  })
  afterEach(async () => {
    const stopped = ending.stop()
    await clock.advance(30_000)
    await stopped
    await store.close()
  })

  /** Begins one that finds nothing to end. Its completion fails with this, so many times. */
  async function begin(error: Error, times: number): Promise<void> {
    store.beforeAppend = ({ events }) => {
      if (events.some(({ type }) => type === 'termination.completed') && attempts++ < times) throw error
    }
    await ending.begin(
      newTerminationJob('a job', 1, { target: { kind: 'client', client_id: 'rp' }, reason: 'admin', actor: 'anna' }),
    )
    while (attempts === 0) await clock.advance(100)
  }

  const isDone = async (): Promise<boolean> => (await store.work('endings').get('job/a job'))?.doneAt !== undefined

  it('that fails in an unforeseen way is tried again a minute later', async () => {
    await begin(new TypeError('something is wrong with it'), 1)
    await clock.advance(59_000)
    assert.deepEqual([attempts, await isDone()], [1, false])
    await clock.advance(6_000)
    assert.deepEqual([attempts, await isDone()], [2, true])
  })

  it('is done at a time of the table, whatever the clock of the process says', async () => {
    const time = clock.now()
    clock.jumpWall(-30 * 86_400_000)
    await begin(new AlreadyClaimedError('its completion'), Number.POSITIVE_INFINITY)
    await clock.advance(1_000)
    const { doneAt = 0 } = (await store.work('endings').get('job/a job')) ?? {}
    assert.ok(doneAt >= time, `done ${time - doneAt} ms before it began`)
  })

  it('is done where another process has completed it', async () => {
    await begin(new AlreadyClaimedError('its completion'), Number.POSITIVE_INFINITY)
    await clock.advance(1_000)
    assert.deepEqual([attempts, await isDone()], [1, true])
  })
})
