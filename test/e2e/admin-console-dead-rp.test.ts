import assert from 'node:assert/strict'
import { systemClock, verifyLog } from '../../lib/index.ts'
import type {
  ClientDetail,
  ClientsPage,
  ClientTestAnswer,
  LogoutDetail,
  Overview,
  PendingPage,
  SessionsPage,
} from '../../plugins/admin-console/api/contract.ts'
import { ConsoleScene, OLGA } from '../support/console-scene.ts'
import { Person, testClient } from '../support/op.ts'

describe('the console beside an RP that is down', () => {
  let scene: ConsoleScene<'well' | 'down'>
  before(async () => {
    const delivery = { retryDelaysMs: [600_000], jitter: 0, circuit: { failures: 1 } }
    scene = await ConsoleScene.start({ well: {}, down: {} }, { logout: { delivery }, stored: [testClient('stored')] })
    scene.scene.rps.down.behave((_token, response) => void response.writeHead(503).end('<b>maintenance</b>'))
  })
  after(() => scene.stop())

  const recorded = async (type: string): Promise<void> => {
    while ((await scene.scene.commitsWith(`session_logout.back_channel.${type}`)).length === 0)
      await new Promise((resolve) => setImmediate(resolve))
  }

  it('says so first, tells each attempt, and sends what waits as soon as an operator says that it is back', async () => {
    const person = new Person(scene.scene.op)
    for (const client of ['well', 'down']) await person.authorize(client)
    const [session] = (await scene.get<SessionsPage>('/sessions', { account: 'alice' })).body.items
    assert.ok(session)
    await scene.operate('/operations/terminate', { target: { account: 'alice' } })
    await recorded('sent')
    await recorded('attempt_failed')

    const { body: overview } = await scene.get<Overview>('/overview')
    assert.ok(overview.problems.some(({ code, clientId }) => code === 'CIRCUIT_OPEN' && clientId === 'down'))
    assert.equal(overview.oldestPending?.clientId, 'down')
    const { body: clients } = await scene.get<ClientsPage>('/clients')
    const [down, well] = clients.items
    assert.deepEqual([down?.circuit, down?.pending, down?.statistics?.successRate], ['open', 1, 0])
    assert.deepEqual([well?.circuit, well?.pending, well?.statistics?.successRate], ['closed', 0, 1])

    const { body: pending } = await scene.get<PendingPage>('/pending', { q: 'maintenance' })
    assert.equal(pending.items[0]?.answer, '<b>maintenance</b>') // text, whatever it looks like
    const { body: logout } = await scene.get<LogoutDetail>('/logouts/one', { session: session.uid })
    const failed = logout.timeline.entries.find(({ kind }) => kind === 'attempt_failed')
    assert.ok(failed?.kind === 'attempt_failed')
    assert.equal(failed.status, 503)
    assert.ok(failed.nextAttemptAt > failed.at)

    const { body: test } = await scene.post<ClientTestAnswer>('/clients/test', { client: 'down' })
    assert.ok(test.kind === 'answered' && test.verdict === 'retried')
    const { body: detail } = await scene.get<ClientDetail>('/clients/one', { client: 'down' })
    assert.equal(detail.pending, 1) // the test has spent nothing

    scene.scene.rps.down.behave((_token, response) => void response.writeHead(200).end())
    const retried = await scene.operate('/operations/retry-client', { client: 'down' })
    assert.deepEqual([retried.state, retried.result, retried.progress.done], ['completed', { hastened: 1 }, 1])
    await scene.scene.quiet()
    const { body: told } = await scene.get<LogoutDetail>('/logouts/one', { session: session.uid })
    assert.equal(told.receipt.settled, true)
    const confirmed = told.timeline.entries.findLast(({ kind }) => kind === 'confirmed')
    assert.ok(confirmed?.kind === 'confirmed' && confirmed.clientId === 'down' && confirmed.attempt === 2)
  })

  it('has left a log in which there is nothing that must not be there', async () => {
    const { body: detail } = await scene.get<ClientDetail>('/clients/one', { client: 'stored' })
    const changes = { backchannel_logout_uri: 'https://stored.example.com/logout' }
    const change = { client: 'stored', version: detail.settings.version, changes }
    assert.equal((await scene.ask('PUT', '/clients/one', OLGA, change)).status, 200)
    const report = await verifyLog({ store: scene.store, clock: systemClock }, { deep: true })
    assert.deepEqual([report.faults, report.resume], [0, undefined])
    assert.equal(report.at, await scene.store.end())
  })
})
