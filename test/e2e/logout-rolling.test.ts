import assert from 'node:assert/strict'
import type { ClientMetadata } from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { EventStore } from '../../lib/index.ts'
import {
  type BackChannelLogout,
  backChannelLogout,
  type ReceiptEntry,
} from '../../plugins/back-channel-logout/index.ts'
import type { Answer } from '../../plugins/back-channel-logout/network/answer.ts'
import { uidOfStream } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { type Op, Person, startOp, testClient } from '../support/op.ts'

const URI = { backchannel_logout_uri: 'https://rp.example.com/logout' }

describe('a rolling deployment', () => {
  let store: EventStore
  let answer: Answer
  let logout: BackChannelLogout
  let op: Op
  let issuer: string | undefined

  beforeEach(() => {
    issuer = undefined
    store = new MemoryEventStore()
    answer = { kind: 'failed', error: 'down' }
  })

  afterEach(async () => {
    await op.stop()
    await store.close()
  })

  for (const [what, clients] of [
    ['not know a new client', []],
    ['not know of its URI', [testClient('new')]],
  ] as const) {
    it(`loses no logout by processes that do ${what} yet`, async () => {
      await deploy([testClient('new', URI)])
      const uid = await logoutFrom('new')
      await op.stop()
      await deploy(clients)
      await entryThat(uid, ({ failureReason }) => /in this process|does not know/.test(String(failureReason)))
      await op.stop()
      answer = { kind: 'answered', status: 200, body: '' }
      await deploy([testClient('new', URI)])
      assert.equal((await entryThat(uid, ({ state }) => state !== 'pending')).state, 'confirmed')
    })
  }

  it('gives up at once a client that was registered at run time, and deleted since', async () => {
    await deploy([])
    const clients = op.eventSourced.adapter('Client')
    await clients.upsert('stored', { ...testClient('stored', URI) })
    const uid = await logoutFrom('stored')
    await clients.destroy('stored')
    const { state, failureReason } = await entryThat(uid, (entry) => entry.state !== 'pending')
    assert.deepEqual([state, failureReason], ['abandoned', 'client_deleted'])
  })

  it('gives up at once a client that was registered at run time, and has removed its URI since', async () => {
    await deploy([])
    const clients = op.eventSourced.adapter('Client')
    await clients.upsert('stored', { ...testClient('stored', URI) })
    const uid = await logoutFrom('stored')
    await clients.upsert('stored', { ...testClient('stored') })
    const { state, failureReason } = await entryThat(uid, (entry) => entry.state !== 'pending')
    assert.deepEqual([state, failureReason], ['abandoned', 'no_uri'])
  })

  /** A process with these clients in its configuration. */
  async function deploy(clients: readonly ClientMetadata[]): Promise<void> {
    logout = backChannelLogout({
      network: { post: async () => answer, close: async () => {} },
      delivery: { retryDelaysMs: Array<number>(1_000).fill(20), jitter: 0 },
    })
    op = await startOp(store, { plugins: [logout], clients, ...(issuer !== undefined && { issuer }) })
    issuer ??= op.issuer
  }

  /** Logs in at the client and out again; returns the session's uid. */
  async function logoutFrom(clientId: string): Promise<string> {
    const person = new Person(op)
    await person.authorize(clientId)
    await person.logout()
    const events = (await store.readAll({ after: 0, limit: 1_000 })).flatMap((commit) => commit.events)
    const end = events.find(({ type }) => type === 'session_logout.terminated')
    return uidOfStream(end?.stream ?? '') ?? ''
  }

  async function entryThat(uid: string, matches: (entry: ReceiptEntry) => boolean): Promise<ReceiptEntry> {
    for (;;) {
      const entry = (await logout.receipt(uid)).ends[0]?.relyingParties[0]
      if (entry && matches(entry)) return entry
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
})
