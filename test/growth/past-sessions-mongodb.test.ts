import assert from 'node:assert/strict'
import type { EventStore } from '../../lib/index.ts'
import { ephemeralKeys, systemClock } from '../../lib/index.ts'
import { behind } from '../../lib/log/behind.ts'
import { type BackChannelLogout, backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { plannedUpTo } from '../../plugins/back-channel-logout/receipts/planned.ts'
import { CountedStore, counted } from '../support/counted-store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { all } from '../support/logout-log.ts'
import { privateDatabase } from '../support/mongo-database.ts'
import { type Op, startOp, testClient } from '../support/op.ts'
import { pastSessions } from '../support/past-sessions.ts'

const ISSUER = 'https://op.example.com'
const OPERATOR = { actor: 'an operator' }

/** oidc-provider's `Session`, whose constructor is not in its types. */
type SessionClass = new (payload: object) => { readonly uid: string; save(ttl: number): Promise<unknown> }

describe('an account with one live session', () => {
  const mongo = privateDatabase()
  const rp = testClient('rp', { backchannel_logout_uri: 'https://rp.example.com/logout' })
  const keys = ephemeralKeys()
  let planning: CountedStore
  let acting: CountedStore
  let ops: Op[]
  let logout: BackChannelLogout

  before('one process plans, another one acts', async () => {
    ops = []
    planning = await CountedStore.open(mongo, keys)
    acting = await CountedStore.open(mongo, keys)
    // The clock of the one that acts stands still: what it does of itself now and then is another matter.
    for (const [{ store }, clock] of [
      [planning, systemClock],
      [acting, new FakeClock(Date.now())],
    ] as const) {
      const network = {
        post: async () => ({ kind: 'answered' as const, status: 200, body: '' }),
        close: async () => {},
      }
      logout = backChannelLogout({ network })
      const configuration = { issuer: ISSUER, clients: [rp], plugins: [logout], clock }
      ops.push(await startOp(store, configuration))
    }
  })

  after(async () => {
    for (const op of ops) await op.stop()
    await planning.close()
    await acting.close()
  })

  /** Without a login at an RP: what it costs to tell RPs is another matter. */
  async function loggedIn(accountId: string): Promise<string> {
    const Session = (ops[0] as Op).provider.Session as unknown as SessionClass
    const session = new Session({ accountId, loginTs: 1 })
    await session.save(3_600)
    return session.uid
  }

  async function planned(store: EventStore): Promise<void> {
    const end = await store.end()
    while ((await behind(store, await plannedUpTo(store), end)) > 0)
      await new Promise((resolve) => setImmediate(resolve))
  }

  for (const past of [1, 100, 10_000]) {
    it(`is listed, counted and ended at the same cost after ${past} sessions that have ended`, async () => {
      const account = `alice-${past}`
      await pastSessions(planning.store, ISSUER, account, past)
      const uid = await loggedIn(account)
      await planned(planning.store)
      const [planner] = ops as [Op, Op]
      await planner.eventSourced.stop() // else it may be the one that carries the termination out
      const listed = await acting.during(() => all(logout.sessions({ account })))
      assert.deepEqual(
        listed.result.map((session) => session.uid),
        [uid],
      )
      assert.ok(listed.commands.length < 10, counted(listed.commands))
      const counts = await acting.during(() => logout.terminateAccount(account, { ...OPERATOR, dryRun: true }))
      assert.deepEqual([counts.result.sessions, counts.result.failed], [1, 0])
      assert.ok(counts.commands.length < 10, counted(counts.commands))
      const ended = await acting.during(() => logout.terminateAccount(account, OPERATOR))
      assert.deepEqual([ended.result.sessions, ended.result.failed], [1, 0])

      assert.ok(ended.commands.length < 20, counted(ended.commands))
      assert.deepEqual(await all(logout.sessions({ account })), [])
      const { size } = new Set(await bytesOf(uid))
      assert.ok(size > 0)
      await planner.eventSourced.start(planner.provider)
    })
  }

  /** How large the commits of a session's end are. */
  async function bytesOf(uid: string): Promise<number[]> {
    const commits = await acting.store.read(`session_logout:${uid}`)
    const sizes = commits.map((commit) => JSON.stringify(commit).length)
    assert.ok(Math.max(...sizes) < 8_000)
    return sizes
  }
})
