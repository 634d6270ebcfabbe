import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { ProviderLike } from '../../lib/index.ts'
import { EndingWork } from '../../plugins/back-channel-logout/ending/ending-work.ts'
import type { TerminationJob } from '../../plugins/back-channel-logout/ending/termination-job.ts'
import { Terminations } from '../../plugins/back-channel-logout/ending/terminations.ts'
import type { OidcProvider } from '../../plugins/back-channel-logout/provider-internals.ts'
import { terminationStream } from '../../plugins/back-channel-logout/recording/index-streams.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { hostOf } from '../support/host.ts'
import { OP } from '../support/planning.ts'
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
})
