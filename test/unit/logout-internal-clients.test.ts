import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type EventStore, OptionInvalidError, silent } from '../../lib/index.ts'
import { type InternalClientRule, InternalClients } from '../../plugins/back-channel-logout/network/internal-clients.ts'
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
    configured: readonly string[] | InternalClientRule = [],
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
    return ['configured', 'intranet', 'toString'].filter((clientId) => clients.isInside({ clientId }))
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

  it('are known to every process of the issuer two seconds later, to a new one from the start, and to no other issuer', async () => {
    const [one, two] = [await start(), await start()]
    const other = await start([], ['https://other.example.com'])
    await one.allow('intranet', ann)
    assert.deepEqual([one, two].map(inside), [['intranet'], []])
    await clock.advance(2_000)
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
        version: 1,
        data: { client_id: 'intranet', level: 'instance', actor: 'ann' },
      },
    ])
    assert.deepEqual(commit?.meta, { actor: 'ann', instance: ISSUER })
  })

  describe('by a rule of the configuration', () => {
    const staging: InternalClientRule = ({ redirectUris }) => String(redirectUris).endsWith('.staging.example/callback')
    const inStaging = { clientId: 'registered', redirectUris: ['https://rp.staging.example/callback'] }

    it('are those that the rule allows', async () => {
      const clients = await start(staging)
      assert.equal(clients.isInside(inStaging), true)
      assert.equal(clients.isInside({ ...inStaging, redirectUris: ['https://rp.example/callback'] }), false)
      assert.deepEqual(await clients.list(), [], 'nobody knows them beforehand')
    })

    it('are not those that an operator disallows, and are those that one allows', async () => {
      const clients = await start(staging)
      await clients.disallow('registered', ann)
      assert.equal(clients.isInside(inStaging), false)
      await clients.allow('other', ann)
      assert.equal(clients.isInside({ clientId: 'other' }), true)
    })

    for (const [what, rule, why] of [
      [
        'throws',
        () => {
          throw new Error('no table')
        },
        /no table/,
      ],
      ['returns a promise', async () => true, /must return true or false at once/],
      ['returns something that is merely not false', () => 'yes', /must return true or false at once/],
      ['returns a promise that rejects', async () => Promise.reject(new Error('later')), /must return true or false/],
      ['returns nothing', () => undefined, /must return true or false at once/],
    ] as readonly (readonly [string, (client: unknown) => unknown, RegExp])[]) {
      it(`are nobody where the rule ${what}, and the log says which client it was`, async () => {
        const lines: { event?: unknown; client_id?: unknown; err?: unknown }[] = []
        const process = operatedProcess(store, { clock, issuers: [ISSUER] })
        await process.operators.start()
        running.push(process)
        const clients = new InternalClients(rule as InternalClientRule)
        await clients.start(process.operators, { ...silent, error: (fields) => lines.push(fields) })
        assert.equal(clients.isInside(inStaging), false)
        assert.equal(lines.length, 1)
        assert.deepEqual([lines[0]?.event, lines[0]?.client_id], ['allow_internal_failed', 'registered'])
        assert.match(String(lines[0]?.err), why)
      })
    }
  })

  it('cannot be given before it is started, and not without a client and somebody who gives it', async () => {
    await assert.rejects(new InternalClients([]).allow('intranet', ann), { code: 'PROVIDER_UNFIT' })
    await assert.rejects(new InternalClients([]).list(), { code: 'PROVIDER_UNFIT' })
    const clients = await start()
    const allow = clients.allow.bind(clients) as (...args: unknown[]) => Promise<void>
    for (const [option, args] of [
      ['clientId', ['', ann]],
      ['clientId', [7, ann]],
      ['clientId', ['a\ud800', ann]],
      ['clientId', ['x'.repeat(1_025), ann]],
      ['actor', ['intranet', { actor: '' }]],
      ['actor', ['intranet', { actor: 'a\ud800' }]],
      ['actor', ['intranet', {}]],
      ['actor', ['intranet']],
    ] as const) {
      const named = (error: unknown): boolean => error instanceof OptionInvalidError && error.option === option
      await assert.rejects(allow(...args), named)
    }
    assert.deepEqual(await store.readAll({ after: 0, limit: 1 }), [])
  })
})
