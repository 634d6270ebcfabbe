import assert from 'node:assert/strict'
import { ephemeralKeys } from '../../lib/index.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { CountedStore, counted } from '../support/counted-store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { privateDatabase } from '../support/mongo-database.ts'
import { type Op, startOp, testClient } from '../support/op.ts'

/** What the change stream's hint sends. */
const HINT = new Set(['aggregate events', 'getMore events', 'killCursors events'])

/** How long they are watched, by their own clock: each looks two or three times whether retention has something to do. */
const WATCHED_S = 1_320

describe('processes that have nothing to do', () => {
  const mongo = privateDatabase()
  const clock = new FakeClock(Date.now())
  const rp = testClient('rp', { backchannel_logout_uri: 'https://rp.example.com/logout' })
  const processes: CountedStore[] = []
  const ops: Op[] = []

  before(async () => {
    const keys = ephemeralKeys()
    const network = { post: async () => ({ kind: 'answered' as const, status: 200, body: '' }), close: async () => {} }
    for (let n = 0; n < 3; n++) {
      const process = await CountedStore.open(mongo, keys, clock)
      const plugins = [backChannelLogout({ network })]
      processes.push(process)
      ops.push(await startOp(process.store, { issuer: 'https://op.example.com', clients: [rp], plugins, clock }))
    }
  })

  after(async () => {
    const stopping = Promise.all(ops.map((op) => op.stop()))
    await clock.advance(30_000)
    await stopping
    for (const process of processes) await process.close()
  })

  async function pass(seconds: number): Promise<void> {
    for (let step = 0; step < seconds * 5; step++) {
      await clock.advance(200)
      await Promise.all(processes.map((process) => process.quiet()))
    }
  }

  it('ask the database at most twice a second each, all tables, leases and signs of life together', async () => {
    await pass(30)
    const before = processes.map(({ sent }) => sent.length)
    await pass(WATCHED_S)
    for (const [n, { sent }] of processes.entries()) {
      // The change stream waits in real time, and these processes' clocks run faster: it is opened again and again. So this
      // is the cost where there is none, and the log is polled.
      const commands = sent.slice(before[n]).filter(({ name }) => !HINT.has(name))
      assert.ok(commands.length <= 2 * WATCHED_S, `${commands.length / WATCHED_S} a second: ${counted(commands)}`)
      const own = commands.filter(({ name }) => !/ events$/.test(name))
      assert.ok(own.length <= 1.2 * WATCHED_S, `without the log's own: ${counted(own)}`)
    }
  })
})
