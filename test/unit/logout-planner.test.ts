import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { AccountKeys, type Commit, type NewEvent, type NewWork, systemClock } from '../../lib/index.ts'
import type { ToldClient } from '../../plugins/back-channel-logout/clients/told-clients.ts'
import { fromBody, sealedFor } from '../../plugins/back-channel-logout/delivery/delivery.ts'
import { plan } from '../../plugins/back-channel-logout/delivery/planner.ts'
import { LongLogouts } from '../../plugins/back-channel-logout/recording/long-logouts.ts'
import { type SessionLogoutEvent, toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { laneOf, lanePrefix } from '../../plugins/back-channel-logout/work/lanes.ts'
import { workOf } from '../support/planning.ts'
import { registered, registeredWithoutUri, sealedEvent, sent, terminated } from '../support/session-log.ts'

const OP = 'https://op.example.com'
const NOW = 5_000

describe('planning', () => {
  let store: MemoryEventStore

  beforeEach(() => {
    store = new MemoryEventStore()
  })

  afterEach(() => store.close())

  async function append(uid: string, ...events: SessionLogoutEvent[]): Promise<void> {
    for (const event of events) await store.append({ events: [sealedEvent(store, uid, event)] })
  }

  const all = (): Promise<Commit[]> => store.readAll({ after: 0, limit: 1_000 })
  const planned = async (): Promise<readonly NewWork[]> => workOf(store, await all(), NOW)
  /** Sealed anew each time. */
  const withoutSubject = (row: NewWork): object => ({ ...row, body: { ...row.body, sealedSubject: undefined } })
  const ids = (work: readonly NewWork[]): string[] => work.map(({ id }) => id)

  it('makes nothing of what is no end', async () => {
    await append('a', registered('rp', '1'))
    await store.append({ events: [{ stream: 'Session:x', type: 'Session:stored', data: {} }] })
    assert.deepEqual(await planned(), [])
    assert.deepEqual(await workOf(store, [], NOW), [])
  })

  it('makes one delivery for each RP of an end, due at once, in the lane of the RP', async () => {
    await append('a', registered('rp-1', '1'), registered('rp-2', '2', { session_required: false }), terminated())
    const work = await planned()
    assert.deepEqual(
      work.map(({ id, lane, dueAt }) => [id, lane, dueAt]),
      [
        ['3/0.0', `${OP} rp-1`, NOW],
        ['3/0.1', `${OP} rp-2`, NOW],
      ],
    )
    const [at] = (await all()).slice(-1).map((commit) => commit.at)
    const { sealedSubject = '', ...rest } = fromBody(work[1]?.body ?? {})
    assert.equal(store.keys.open(sealedSubject, sealedFor('3/0.1', { ...rest })), 'sealed for rp-2')
    assert.deepEqual(rest, {
      sessionUid: 'a',
      clientId: 'rp-2',
      sid: '2',
      includeSid: false,
      reason: 'rp_initiated',
      endedAt: at,
      attempts: 0,
      badRequests: 0,
    })
  })

  it('makes the same deliveries when it plans the same end again', async () => {
    await append('a', registered('rp-1', '1'), registered('rp-2', '2'), terminated())
    const [first, second] = [await planned(), await planned()]
    assert.deepEqual(second.map(withoutSubject), first.map(withoutSubject))
    const work = store.work('deliveries')
    await work.add(first)
    await work.add(second)
    assert.equal(await work.countOpen(), 2)
  })

  it('does not plan again what is settled', async () => {
    await append('a', registered('rp-1', '1'), registered('rp-2', '2'), terminated(), sent('3/0.0'))
    assert.deepEqual(ids(await planned()), ['3/0.1'])
  })

  it('plans the ends of the batch, not those before it', async () => {
    await append('a', registered('rp-1', '1'), registered('rp-2', '2'), terminated(['1']))
    await append('a', terminated())
    const commits = await all()
    assert.deepEqual(ids(await workOf(store, commits.slice(-1), NOW)), ['4/0.0'])
    assert.deepEqual(ids(await workOf(store, commits, NOW)), ['3/0.0', '4/0.0'])
  })

  it('plans each end of a session, where one commit ends two of its logins by two facts', async () => {
    await append('a', registered('rp-1', '1'), registered('rp-2', '2'))
    const ends = [terminated(['1']), terminated(['2'], { reason: 'authorization_removed' })]
    await store.append({ events: ends.map((end) => toEvent('a', end)) })
    assert.deepEqual(
      (await planned()).map(({ id, lane, body }) => [id, lane, fromBody(body).reason]),
      [
        ['3/0.0', laneOf(OP, 'rp-1'), 'rp_initiated'],
        ['3/1.0', laneOf(OP, 'rp-2'), 'authorization_removed'],
      ],
    )
  })

  it('plans the end of a login that was registered in another batch, or in the same commit', async () => {
    await append('a', registered('rp-1', '1'))
    const events: NewEvent[] = [
      sealedEvent(store, 'a', registered('rp-2', '2')),
      toEvent('a', terminated()),
      sealedEvent(store, 'b', registered('rp-3', '3')),
      toEvent('b', terminated()),
    ]
    await store.append({ events })
    const commits = await all()
    assert.deepEqual(ids(await workOf(store, commits.slice(-1), NOW)), ['2/1.0', '2/1.1', '2/3.0'])
  })

  it('plans for every issuer that shares the log, each in lanes of its own', async () => {
    const other = 'https://op.example.com.other'
    await append('a', registered('rp', '1'), terminated())
    await append('b', registered('rp', '2'), terminated('session', { triggered_at_origin: other }))
    const lanes = (await planned()).map(({ lane }) => lane)
    assert.deepEqual(lanes, [laneOf(OP, 'rp'), laneOf(other, 'rp')])
    assert.deepEqual(
      lanes.filter((lane) => lane.startsWith(lanePrefix(OP))),
      [laneOf(OP, 'rp')],
    )
  })

  describe('for a client that had no known URI at the login', () => {
    let asked: string[]
    let found: ToldClient | undefined

    beforeEach(async () => {
      asked = []
      found = undefined
      await append('a', registeredWithoutUri('late', '1'), registered('known', '2'), terminated())
    })

    async function planOf(commits: readonly Commit[]): ReturnType<typeof plan> {
      const find = async (clientId: string): Promise<ToldClient | undefined> => {
        asked.push(clientId)
        return found
      }
      const accountKeys = new AccountKeys(store, systemClock)
      return plan({ logouts: new LongLogouts(store), issuer: OP, clients: { find }, accountKeys }, commits, NOW)
    }

    it('makes nothing where it has none now', async () => {
      const { events: facts, work } = await planOf(await all())
      assert.deepEqual([facts, ids(work)], [[], ['3/0.0']])
      assert.deepEqual(asked, ['late'])
    })

    it('makes a delivery where it has one now, and a fact that says so, until that is recorded', async () => {
      found = { clientId: 'late' }
      const { events: facts, work } = await planOf(await all())
      assert.deepEqual(
        facts.map(({ stream, type, data }) => [stream, type, data]),
        [['session_logout:a', 'session_logout.back_channel.owed', { delivery: '3/0.1', client_id: 'late' }]],
      )
      assert.deepEqual(ids(work), ['3/0.0', '3/0.1'])
      assert.ok(work.every(({ body }) => fromBody(body).onlyWithUri === undefined))
      await store.append({ events: [...facts] })
      asked = []
      const again = await planOf(await all())
      assert.deepEqual([again.events, ids(again.work), asked], [[], ['3/0.0', '3/0.1'], []])
    })

    it('asks for the reasons that it wants to hear of', async () => {
      found = { clientId: 'late', initiators: ['admin'] }
      assert.deepEqual(ids((await planOf(await all())).work), ['3/0.0'])
      found = { clientId: 'late', initiators: ['rp_initiated'] }
      assert.deepEqual(ids((await planOf(await all())).work), ['3/0.0', '3/0.1'])
    })

    it('looks each client up once, however many ends there are', async () => {
      for (const uid of ['b', 'c']) await append(uid, registeredWithoutUri('late', '1'), terminated())
      await planOf(await all())
      assert.deepEqual(asked, ['late'])
    })

    it('plans nothing of ends before the batch', async () => {
      found = { clientId: 'late' }
      await append('a', registeredWithoutUri('late', '9'), terminated())
      const commits = (await all()).slice(-1)
      assert.deepEqual(ids((await planOf(commits)).work), ['5/0.0'])
    })

    it('leaves the question to those who send, where the session is another issuer’s', async () => {
      const other = 'https://other.example.com'
      await append('b', registeredWithoutUri('late', '1'), terminated('session', { triggered_at_origin: other }))
      const { events: facts, work } = await planOf((await all()).slice(-1))
      assert.deepEqual([facts, asked], [[], []])
      assert.deepEqual(
        work.map(({ id, body }) => [id, fromBody(body).onlyWithUri]),
        [['5/0.0', true]],
      )
    })
  })

  it('stops at a session that a newer version has written to', async () => {
    await append('a', registered('rp', '1'), terminated())
    await store.append({ events: [{ stream: 'session_logout:a', type: 'session_logout.new', data: {} }] })
    await assert.rejects(planned(), { code: 'EVENT_TYPE_UNKNOWN' })
  })
})
