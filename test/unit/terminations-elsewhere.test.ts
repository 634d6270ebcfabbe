import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type ProviderLike, StoreUnavailableError } from '../../lib/index.ts'
import { EndingWork } from '../../plugins/back-channel-logout/ending/ending-work.ts'
import { toTerminationEvent } from '../../plugins/back-channel-logout/ending/termination-events.ts'
import type { TerminationJob } from '../../plugins/back-channel-logout/ending/termination-job.ts'
import type { TerminationParts } from '../../plugins/back-channel-logout/ending/termination-parts.ts'
import { Terminations } from '../../plugins/back-channel-logout/ending/terminations.ts'
import type { OidcProvider } from '../../plugins/back-channel-logout/provider-internals.ts'
import { completionStream, terminationStream } from '../../plugins/back-channel-logout/recording/index-streams.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { hostOf } from '../support/host.ts'
import { OP } from '../support/planning.ts'
import { SteeredStore } from '../support/steered-store.ts'
import { clientsOf } from '../support/told-clients.ts'

describe('a termination that another process carries out', () => {
  it('is known to be completed, though an end comes later that was in flight in a process taken for dead', async () => {
    const clock = new FakeClock()
    const store = new MemoryEventStore({ clock })
    const provider = { issuer: OP } as OidcProvider & ProviderLike
    const host = hostOf(store, provider, clock)
    const parts = { host, provider, clients: clientsOf(host), isOn: () => true, toleranceSeconds: 15 }
    const elsewhere = new EndingWork({ ...parts, onProgress: () => {} })
    const given: TerminationJob[] = []
    elsewhere.begin = async (order) => void given.push(order)
    const here = new Terminations(parts, () => elsewhere)
    const report = here.client('rp', { actor: 'anna' })
    while (given.length === 0) await clock.advance(0)
    const id = String(given[0]?.id)
    const other = new EndingWork({ ...parts, onProgress: () => {} })
    await other.start()
    await other.begin(given[0] as TerminationJob)
    while ((await store.work('endings').get(`job/${id}`))?.doneAt === undefined) await clock.advance(100)
    await store.append({ events: [{ stream: terminationStream(id), type: 'session_logout.terminated', data: {} }] })
    await clock.advance(2_000)
    assert.deepEqual(await report, { id, sessions: 0, logins: 0, grants: 0, failed: 0 })
    const stopped = other.stop()
    await clock.advance(30_000)
    await stopped
    await store.close()
  })
  describe('while the store is away after it was recorded', () => {
    let clock: FakeClock
    let store: SteeredStore
    let parts: TerminationParts
    let elsewhere: EndingWork

    beforeEach(() => {
      clock = new FakeClock()
      store = new SteeredStore(new MemoryEventStore({ clock }))
      const provider = { issuer: OP } as OidcProvider & ProviderLike
      const host = hostOf(store, provider, clock)
      parts = { host, provider, clients: clientsOf(host), isOn: () => true, toleranceSeconds: 15 }
      elsewhere = new EndingWork({ ...parts, onProgress: () => {} })
    })
    afterEach(() => store.close())

    it('is waited for until its completion can be read', async () => {
      const given: TerminationJob[] = []
      elsewhere.begin = async (job) => void given.push(job)
      const report = new Terminations(parts, () => elsewhere).client('rp', { actor: 'anna' })
      while (given.length === 0) await clock.advance(0)
      store.beforeRead = () => {
        throw new StoreUnavailableError('away')
      }
      await clock.advance(60_000)
      store.beforeRead = undefined
      const [{ id } = { id: '' }] = given
      const counts = { sessions: 2, logins: 1, grants: 0, failed: 0 }
      const completed = toTerminationEvent(id, { type: 'termination.completed', ...counts }, [completionStream(id)])
      await store.append({ events: [completed] })
      await clock.advance(1_000)
      assert.deepEqual(await report, { id, ...counts })
    })

    it('is not waited for any longer than its caller wants', async () => {
      elsewhere.begin = () => new Promise(() => {})
      const given = new AbortController()
      const report = new Terminations(parts, () => elsewhere).client('rp', { actor: 'anna', signal: given.signal })
      const gaveUp = assert.rejects(report, /enough/)
      while (store.commits.length === 0) await clock.advance(0)
      await clock.advance(0)
      given.abort(new Error('enough'))
      await clock.advance(0)
      await gaveUp
    })
  })

  it('is looked for in the log now and then, after it was told of progress too', async () => {
    const clock = new FakeClock()
    const store = new SteeredStore(new MemoryEventStore({ clock }))
    const provider = { issuer: OP } as OidcProvider & ProviderLike
    const host = hostOf(store, provider, clock)
    const parts = { host, provider, clients: clientsOf(host), isOn: () => true, toleranceSeconds: 15 }
    const given: TerminationJob[] = []
    let tell: (job: TerminationJob, completed: boolean) => void = () => {}
    const here = new Terminations(parts, (onProgress) => {
      tell = onProgress
      const elsewhere = new EndingWork({ ...parts, onProgress })
      elsewhere.begin = async (job) => void given.push(job)
      return elsewhere
    })
    const told: number[] = []
    const gone = new AbortController()
    const options = {
      actor: 'anna',
      signal: gone.signal,
      onProgress: ({ sessions }: { sessions: number }) => void told.push(sessions),
    }
    const report = here.client('rp', options)
    while (given.length === 0) await clock.advance(0)
    const [job] = given as [TerminationJob]
    for (const sessions of [1, 2]) {
      tell({ ...job, tally: { sessions, logins: 0, grants: 0 } }, false)
      await clock.advance(10)
    }
    store.reads.length = 0
    await clock.advance(10_000)
    assert.deepEqual(told, [1, 2])
    assert.ok(store.reads.length >= 5 && store.reads.length <= 25, `${store.reads.length} looks in ten seconds`)
    const givenUp = assert.rejects(report, /went home/, 'at once')
    gone.abort(new Error('the operator went home'))
    await clock.advance(0)
    await givenUp
    await store.close()
  })
})
