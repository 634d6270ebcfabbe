import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { keyOf, ToldLogins } from '../../plugins/back-channel-logout/ending/told-logins.ts'
import {
  accountStreams,
  clientStreams,
  terminationStream,
} from '../../plugins/back-channel-logout/recording/index-streams.ts'
import { sessionLogoutStream } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { SteeredStore } from '../support/steered-store.ts'

describe('whom a termination has told already', () => {
  let store: SteeredStore
  let began: number
  let logins: ToldLogins

  beforeEach(async () => {
    store = new SteeredStore(new MemoryEventStore())
    await ended({ job: 'this' })
    began = await store.end()
    logins = new ToldLogins(store)
  })
  afterEach(() => store.close())

  /** The end of alice's login at an RP, or what is said instead. */
  async function ended({
    job = 'this',
    account = 'alice',
    clients = ['rp'],
    type = 'session_logout.terminated',
  }: {
    readonly job?: string
    readonly account?: string
    readonly clients?: readonly string[]
    readonly type?: string
  }): Promise<void> {
    const also = [
      ...accountStreams(store.keys, account),
      ...clients.flatMap((client) => clientStreams(store.keys, client)),
      terminationStream(job),
    ]
    await store.append({ events: [{ stream: sessionLogoutStream('a session'), also, type, data: {} }] })
  }

  async function told(...clients: readonly string[]): Promise<string[]> {
    const job = { id: 'this', position: began }
    const asked = clients.map((clientId) => ({ accountId: 'alice', clientId }))
    const found = await logins.of(job, asked)
    return asked.filter((one) => found.has(keyOf(one))).map(({ clientId }) => clientId)
  }

  it('are the RPs at which it has ended a login of the account, and no others', async () => {
    await ended({ clients: ['one', 'two'] })
    await ended({ clients: ['three'] })
    assert.deepEqual(await told('one', 'three', 'four'), ['one', 'three'])
  })

  for (const [what, end] of [
    ['another termination has ended', { job: 'another' }],
    ['it has ended of another account', { account: 'bob' }],
    ['it has ended at another RP', { clients: ['other'] }],
    ['it has only noted', { type: 'session_logout.back_channel.registered' }],
  ] as const) {
    it(`are none of which ${what}`, async () => {
      await ended(end)
      assert.deepEqual(await told('rp'), [])
    })
  }

  it('is read once, from when the termination began, however often it is asked', async () => {
    for (let others = 0; others < 600; others++) await ended({ job: 'another' })
    await ended({ clients: ['one'] })
    store.reads.length = 0
    assert.deepEqual(await told('one', 'rp'), ['one'])
    assert.equal(store.reads.length, 3)
    await ended({ clients: ['two'] })
    assert.deepEqual(await told('one', 'two', 'rp'), ['one', 'two'])
    assert.equal(store.reads.length, 4)
  })
})
