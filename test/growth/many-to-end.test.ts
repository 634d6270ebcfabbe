import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { Host, NewCommit, Plugin } from '../../lib/index.ts'
import type {
  TerminationReason,
  TerminationTarget,
} from '../../plugins/back-channel-logout/ending/termination-events.ts'
import { newTerminationJob, type TerminationJob } from '../../plugins/back-channel-logout/ending/termination-job.ts'
import { PAGE } from '../../plugins/back-channel-logout/ending/termination-parts.ts'
import { TerminationRun } from '../../plugins/back-channel-logout/ending/termination-run.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { terminationStream } from '../../plugins/back-channel-logout/recording/index-streams.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { type Op, startOp, testClient } from '../support/op.ts'
import { pastSessions } from '../support/past-sessions.ts'
import { countReads } from '../support/reads.ts'
import { SteeredStore } from '../support/steered-store.ts'
import { terminationParts } from '../support/termination-parts.ts'

const ISSUER = 'https://op.example.com'

/** The most that a commit may have: it is refused beyond that. */
const COMMIT_BYTES = 8 * 1024 * 1024

/** oidc-provider's models, whose constructors are not in their types. */
type Saved = new (payload: object) => { readonly uid: string; save(ttl: number): Promise<unknown> }

describe('what ends at once', () => {
  let store: SteeredStore
  let op: Op
  let host: Host

  beforeEach(async () => {
    store = new SteeredStore(new MemoryEventStore())
    const caught: Host[] = []
    const catcher: Plugin = { name: 'catcher', start: async (given) => void caught.push(given), stop: async () => {} }
    const network = { post: async () => ({ kind: 'answered' as const, status: 200, body: '' }), close: async () => {} }
    const plugins = [catcher, backChannelLogout({ network })]
    op = await startOp(store, { issuer: ISSUER, plugins, clients: [testClient('rp')] })
    host = caught[0] as Host
  })

  afterEach(async () => {
    await op.stop()
    await store.close()
  })

  async function ordered(kind: 'account' | 'all', reason: TerminationReason): Promise<TerminationJob> {
    const id = `order-${await store.end()}`
    const target: TerminationTarget =
      kind === 'account' ? { kind, account: store.keys.seal('alice', terminationStream(id)) } : { kind }
    const { position } = await store.append({
      events: [{ stream: terminationStream(id), type: 'termination.ordered', data: {} }],
    })
    return newTerminationJob(id, position, { target, reason, actor: 'anna' })
  }

  function run(): TerminationRun {
    return new TerminationRun(terminationParts(host))
  }

  const bytesOf = (commit: NewCommit): number => JSON.stringify(commit).length

  for (const grants of [1, 100, 10_000]) {
    it(`is a commit of the same size for each of ${grants} grants of an account, a page at a time`, async () => {
      const Grant = op.provider.Grant as unknown as new (payload: object) => { save(ttl: number): Promise<unknown> }
      for (let n = 0; n < grants; n += 500)
        await Promise.all(
          range(Math.min(500, grants - n)).map(() => new Grant({ accountId: 'alice', clientId: 'rp' }).save(3_600)),
        )
      let job = await ordered('account', 'account_deleted')
      const before = store.commits.length
      const orders = run()
      let pages = 0
      for (let completed = false; !completed; pages++) ({ job, completed } = await orders.runNextPage(job))
      assert.deepEqual([job.tally.grants, job.failed], [grants, 0])
      assert.ok(pages <= Math.ceil(grants / PAGE) + 2, `${pages} pages`)
      const sizes = store.commits.slice(before).map(bytesOf)
      assert.ok(Math.max(...sizes) < 4_000, `${Math.max(...sizes)} bytes`)
    })
  }

  for (const clients of [1, 100, 10_000]) {
    it(`reads what the account did since a bounded number of times, for grants at ${clients} RPs`, async () => {
      const Grant = op.provider.Grant as unknown as new (payload: object) => { save(ttl: number): Promise<unknown> }
      for (let n = 0; n < clients; n += 500) {
        const some = range(Math.min(500, clients - n)).map((index) => n + index)
        await Promise.all(some.map((id) => new Grant({ accountId: 'alice', clientId: `rp-${id}` }).save(3_600)))
      }
      const planned = await store.end()
      while (((await store.consumers.list())[0]?.position ?? 0) < planned)
        await new Promise((resolve) => setImmediate(resolve))
      let job = await ordered('account', 'account_deleted')
      const readings = countReads(store, (streams) => streams.some((stream) => stream.startsWith('account:')))
      const one = run()
      for (let completed = false; !completed; ) ({ job, completed } = await one.runNextPage(job))
      assert.equal(job.tally.grants, clients)
      const commits = readings.flat().length
      assert.ok(commits <= 4 * clients + 4 * PAGE, `${commits} commits for ${clients} RPs`)
    })
  }

  for (const logins of [1, 100, 10_000]) {
    it(`is one commit of a bounded size for a session with logins and grants at ${logins} RPs`, async () => {
      const Session = op.provider.Session as unknown as Saved
      const ids = range(logins).map((n) => `client-${n}`)
      const authorizations = Object.fromEntries(ids.map((id) => [id, { sid: `sid-${id}`, grantId: `grant-${id}` }]))
      const session = new Session({ accountId: 'alice', loginTs: 1, authorizations })
      await session.save(3_600)
      const before = store.commits.length
      const ended = await host.terminator.end(session.uid, { cause: { reason: 'admin', actor: 'anna' }, grants: 'all' })
      assert.ok(ended)
      const [commit] = store.commits.slice(before)
      assert.ok(commit)
      assert.ok(bytesOf(commit) < 4_000 + 400 * logins, `${bytesOf(commit)} bytes`)
      assert.ok(bytesOf(commit) < COMMIT_BYTES)
    })
  }

  for (const saves of [1, 100, 10_000]) {
    it(`looks at a bounded number of commits for a grant that was stored ${saves} times`, async () => {
      const Grant = op.provider.Grant as unknown as new (payload: object) => { save(ttl: number): Promise<unknown> }
      const grant = new Grant({ accountId: 'alice', clientId: 'rp' })
      for (let n = 0; n < saves; n++) await grant.save(3_600)
      const planned = await store.end()
      while (((await store.consumers.list())[0]?.position ?? 0) < planned)
        await new Promise((resolve) => setImmediate(resolve))
      const job = await ordered('account', 'account_deleted')
      const readings = countReads(store, (streams) => streams.some((stream) => stream.startsWith('Grant:')))
      let step = await run().runNextPage(job)
      while (!step.completed) step = await run().runNextPage(step.job)
      assert.equal(step.job.tally.grants, 1)
      const commits = readings.flat().length
      assert.ok(commits <= 1_000, `${commits} commits`)
    })
  }

  for (const past of [1, 100, 10_000]) {
    it(`begins with who is logged in now, after ${past} sessions that have ended`, async () => {
      await pastSessions(store, ISSUER, 'bob', past)
      const Session = op.provider.Session as unknown as Saved
      const session = new Session({ accountId: 'alice', loginTs: 1 })
      await session.save(3_600)
      const planned = await store.end()
      while (((await store.consumers.list())[0]?.position ?? 0) < planned)
        await new Promise((resolve) => setImmediate(resolve))
      const job = await ordered('all', 'admin')
      store.reads.splice(0)
      const { job: after } = await run().runNextPage(job)
      assert.equal(after.tally.sessions, 1)
      assert.ok(store.reads.length <= 6, `${store.reads.length} reads`)
    })
  }
})
