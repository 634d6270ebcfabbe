import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type EventStore, OptionInvalidError } from '../../lib/index.ts'
import { InternalClients } from '../../plugins/back-channel-logout/network/internal-clients.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { ISSUER, type OperatedProcess, operatedProcess } from '../support/operated-process.ts'

const ann = { actor: 'ann' }

describe('the RPs that may be inside the network', () => {
  let clock: FakeClock
  let store: EventStore
  let running: OperatedProcess[]

  beforeEach(() => {
    clock = new FakeClock('2026-05-01T08:00:00Z')
    store = new MemoryEventStore({ clock })
    running = []
  })

  afterEach(async () => {
    await Promise.all(running.map(({ operators }) => operators.stop()))
    await store.close()
  })

  /** What a process knows, of this issuer. */
  async function start(
    configured: readonly string[] = [],
    issuers: readonly string[] = [ISSUER],
  ): Promise<InternalClients> {
    const process = operatedProcess(store, { clock, issuers })
    await process.operators.start()
    running.push(process)
    const clients = new InternalClients(configured)
    await clients.start(process.operators)
    return clients
  }

  function inside(clients: InternalClients): string[] {
    return ['configured', 'intranet', 'toString'].filter((id) => clients.isInside(id))
  }

  it('are those of the configuration, and those that an operator allows', async () => {
    const clients = await start(['configured'])
    assert.deepEqual(inside(clients), ['configured'])
    await clients.allow('intranet', ann)
    assert.deepEqual(inside(clients), ['configured', 'intranet'])
    await clients.disallow('intranet', ann)
    assert.deepEqual(inside(clients), ['configured'])
  })

  it('are not those of the configuration that an operator disallows, until one allows them again', async () => {
    const clients = await start(['configured'])
    await clients.disallow('configured', ann)
    assert.deepEqual(inside(clients), [])
    await clients.allow('configured', ann)
    assert.deepEqual(inside(clients), ['configured'])
  })

  it('are known to every process of the issuer a second later, to a new one from the start, and to no other issuer', async () => {
    const [one, two] = [await start(), await start()]
    const other = await start([], ['https://other.example.com'])
    await one.allow('intranet', ann)
    assert.deepEqual([one, two].map(inside), [['intranet'], []])
    await clock.advance(1_000)
    assert.deepEqual([one, two, await start(), other].map(inside), [['intranet'], ['intranet'], ['intranet'], []])
  })

  it('go on under another issuer of the provider', async () => {
    await (await start()).allow('intranet', ann)
    assert.deepEqual(inside(await start([], ['https://new.example.com', ISSUER])), ['intranet'])
  })

  it('are listed with who allowed them and when, with what another process has set a moment ago', async () => {
    const [one, two] = [await start(['configured', 'former']), await start(['configured', 'former'])]
    const at = clock.now()
    await one.allow('intranet', ann)
    await one.disallow('former', { actor: 'bob' })
    assert.deepEqual(await two.list(), [
      { clientId: 'configured', allowed: true, from: 'configuration' },
      { clientId: 'former', allowed: false, from: 'operator', actor: 'bob', at },
      { clientId: 'intranet', allowed: true, from: 'operator', actor: 'ann', at },
    ])
  })

  it('are facts of the log, by client id', async () => {
    await (await start()).allow('intranet', ann)
    const [commit] = await store.readAll({ after: 0, limit: 10 })
    assert.deepEqual(commit?.events, [
      {
        stream: `network_permission:instance:${ISSUER}`,
        type: 'network_permission.allowed',
        data: { client_id: 'intranet', level: 'instance', actor: 'ann' },
      },
    ])
    assert.deepEqual(commit?.meta, { actor: 'ann', instance: ISSUER })
  })

  it('cannot be given before it is started, and not without a client and somebody who gives it', async () => {
    await assert.rejects(new InternalClients([]).allow('intranet', ann), { code: 'PROVIDER_UNFIT' })
    await assert.rejects(new InternalClients([]).list(), { code: 'PROVIDER_UNFIT' })
    const clients = await start()
    const allow = clients.allow.bind(clients) as (...args: unknown[]) => Promise<void>
    for (const [option, args] of [
      ['clientId', ['', ann]],
      ['clientId', [7, ann]],
      ['actor', ['intranet', { actor: '' }]],
      ['actor', ['intranet', {}]],
      ['actor', ['intranet']],
    ] as const) {
      const named = (error: unknown): boolean => error instanceof OptionInvalidError && error.option === option
      await assert.rejects(allow(...args), named)
    }
    assert.deepEqual(await store.readAll({ after: 0, limit: 1 }), [])
  })
})
