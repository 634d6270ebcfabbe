import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import {
  type AdapterFactory,
  AlreadyClaimedError,
  type EventSourced,
  eventSourced,
  KeyRing,
  type Keys,
  type RequestContext,
  StoreUnavailableError,
  silent,
} from '../../lib/index.ts'
import { FakeContext, keysNamed } from '../contract/provider-adapter/adapter-under-test.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { SteeredStore } from '../support/steered-store.ts'

type Middleware = (ctx: RequestContext, next: () => Promise<unknown>) => Promise<void>

const AWAY = new StoreUnavailableError('no server')

describe('one request', () => {
  let log: MemoryEventStore
  let store: SteeredStore
  let clock: FakeClock
  let op: EventSourced
  let middleware: Middleware
  let warnings: string[]

  beforeEach(() => {
    log = new MemoryEventStore()
    clock = new FakeClock(Date.now())
    warnings = []
    start(keysNamed(['s1'], ['h1']))
  })
  afterEach(async () => {
    await op.stop()
    await log.close()
  })

  /** A process with these keys. */
  function start(keys: Keys): void {
    store = new SteeredStore(log, new KeyRing(keys))
    const warn = (first: object | string): void => {
      if (typeof first === 'object' && 'event' in first) warnings.push(String(first.event))
    }
    op = eventSourced(store, { clock, logger: { ...silent, warn } })
    void op.start({
      issuer: 'https://op.example.com',
      use: (one: Middleware) => {
        middleware = one
      },
      Client: { find: async () => undefined, adapter: op.adapter('Client') },
      Session: class {},
    })
  }

  async function request(calls: (adapter: AdapterFactory) => Promise<unknown>): Promise<number> {
    const ctx = new FakeContext()
    await middleware(ctx, () => calls(op.adapter))
    return ctx.status
  }

  it('that could not read what it was to end stores nothing of it, also where the store is back at once', async () => {
    const id = newId()
    await op.adapter('Session').upsert(id, sample('Session', id), 60)
    const commits = store.commits.length
    const status = await request(async (adapter) => {
      await adapter('Grant').upsert('a grant', sample('Grant', 'a grant'), 60)
      store.beforeRead = () => {
        store.beforeRead = undefined
        throw AWAY
      }
      await adapter('Session').destroy(id)
    })
    assert.equal(status, 503)
    assert.equal(store.commits.length, commits)
    assert.ok(await op.adapter('Session').find(id))
  })

  describe('that lost a race after it was shown a proof', () => {
    /** Uses a code that another one uses meanwhile. */
    async function loses(proof: string): Promise<number> {
      const code = newId()
      await op.adapter('AuthorizationCode').upsert(code, sample('AuthorizationCode', code), 60)
      return request(async (adapter) => {
        await adapter('ReplayDetection').upsert(proof, sample('ReplayDetection', proof), 60)
        await adapter('AuthorizationCode').find(code)
        await request((other) => other('AuthorizationCode').consume(code))
        await adapter('AuthorizationCode').consume(code)
      })
    }

    it('uses the proof up all the same', async () => {
      assert.equal(await loses('shown'), 400)
      assert.ok(await op.adapter('ReplayDetection').find('shown'))
      assert.deepEqual(warnings, [])
    })

    for (const [what, error, told] of [
      ['was shown elsewhere meanwhile', new AlreadyClaimedError('shown'), []],
      ['cannot be stored', AWAY, ['proof_not_stored']],
    ] as const) {
      it(`is refused as for the race where the proof ${what}, and the log says: ${told.length} warnings`, async () => {
        store.beforeAppend = ({ events }) => {
          if (events.length === 1 && events[0]?.data['model'] === 'ReplayDetection') throw error
        }
        assert.equal(await loses('shown'), 400)
        assert.deepEqual(warnings, told)
      })
    }
  })

  describe('that looks for a device code by its user code', () => {
    const code = (more = {}) => sample('DeviceCode', 'device', { userCode: 'ABCD', grantId: 'a grant', ...more })

    it('finds what it has stored itself, until it revokes its grant', async () => {
      await request(async (adapter) => {
        assert.equal(await adapter('DeviceCode').findByUserCode('ABCD'), undefined)
        await adapter('DeviceCode').upsert('device', code(), 60)
        assert.deepEqual(await adapter('DeviceCode').findByUserCode('ABCD'), code())
        await adapter('DeviceCode').revokeByGrantId('a grant')
        await adapter('Grant').destroy('a grant')
        assert.equal(await adapter('DeviceCode').findByUserCode('ABCD'), undefined)
      })
      assert.equal(await op.adapter('DeviceCode').findByUserCode('ABCD'), undefined)
    })

    it('reads it once: its user code, itself, its grant; and no more where it asks for it by its id', async () => {
      await op.adapter('DeviceCode').upsert('device', code(), 60)
      store.reads.length = 0
      await request(async (adapter) => {
        assert.deepEqual(await adapter('DeviceCode').findByUserCode('ABCD'), code())
        assert.deepEqual(await adapter('DeviceCode').find('device'), code())
      })
      const kinds = store.reads.map(({ streams }) => String(streams[0]).split(':')[0])
      assert.deepEqual(kinds, ['user_code', 'DeviceCode', 'Grant'])
    })
  })

  for (const [what, keys, code] of [
    ['whose key is gone', { sealing: [{ id: 's2', secret: Buffer.alloc(32, 2) }] }, 'KEY_UNKNOWN'],
    ['whose seal is broken', { sealing: [{ id: 's1', secret: Buffer.alloc(32, 2) }] }, 'SEAL_BROKEN'],
  ] as const) {
    it(`ends what cannot be read (${what}): that must keep nobody logged in`, async () => {
      const token = sample('AccessToken', 'a token')
      await op.adapter('AccessToken').upsert('a token', token, 60)
      start({ ...keysNamed(['s1'], ['h1']), ...keys })
      await assert.rejects(op.adapter('AccessToken').find('a token'), { code })
      await request((adapter) => adapter('AccessToken').destroy('a token'))
      assert.equal(await op.adapter('AccessToken').find('a token'), undefined)
    })
  }

  it('finds nothing of what expired and was sealed with a key that is gone; of what did not, it names the key', async () => {
    await op.adapter('AccessToken').upsert('a token', sample('AccessToken', 'a token'), 60)
    start(keysNamed(['s2'], ['h1']))
    const find = (): Promise<unknown> => op.adapter('AccessToken').find('a token')
    await assert.rejects(find(), { code: 'KEY_UNKNOWN' })
    await clock.advance(7_200_000)
    assert.equal(await find(), undefined)
    const { data = {} } = (await log.latest(store.keys.streams('AccessToken', 'a token')[0]))?.events[0] ?? {}
    await log.append({
      events: [
        {
          stream: store.keys.streams('AccessToken', 'altered')[0],
          type: 'stored',
          data: { ...data, sealed: 's2.AAAA' },
        },
      ],
    })
    await assert.rejects(op.adapter('AccessToken').find('altered'), { code: 'SEAL_BROKEN' })
  })
})
