import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { Commit, EventStore } from '../../lib/index.ts'
import { readLogout } from '../../plugins/back-channel-logout/recording/histories.ts'
import { LONG, LongLogouts } from '../../plugins/back-channel-logout/recording/long-logouts.ts'
import type { SessionLogout } from '../../plugins/back-channel-logout/recording/session-logout.ts'
import { type SessionLogoutEvent, toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { registered, sent, terminated } from '../support/session-log.ts'

describe('the logout of a session that is long', () => {
  let store: MemoryEventStore
  let logouts: LongLogouts
  let reads: string[]
  /** Positions that nobody can see yet. */
  let hidden: Set<number>

  beforeEach(() => {
    store = new MemoryEventStore()
    reads = []
    hidden = new Set()
    const visible = (commits: Commit[]): Commit[] => commits.filter(({ position }) => !hidden.has(position))
    const seen: Pick<EventStore, 'readStreams'> = {
      readStreams: async (streams, options) => {
        const from = options?.from ?? 1
        reads.push(from === 1 ? streams.join(' ') : `${streams.join(' ')} from ${from}`)
        assert.ok(options?.limit, 'a read without a limit')
        return visible(await store.readStreams(streams, options))
      },
    }
    logouts = new LongLogouts(seen as EventStore)
  })

  afterEach(() => store.close())

  async function append(uid: string, ...events: SessionLogoutEvent[]): Promise<Commit> {
    const { position } = await store.append({ events: events.map((event) => toEvent(uid, event)) })
    return (await store.readAll({ after: position - 1, limit: 1 }))[0] as Commit
  }

  async function ends(uid: string, count: number): Promise<void> {
    for (let n = 0; n < count; n++) await append(uid, registered('rp', `${n}`), terminated([`${n}`]))
  }

  async function read(uid: string, ...batch: Commit[]): Promise<SessionLogout | undefined> {
    return (await logouts.read([uid], batch)).get(uid)
  }

  it('is read anew where it is short', async () => {
    await ends('a', LONG - 1)
    await read('a')
    await read('a')
    assert.deepEqual(reads, ['session_logout:a', 'session_logout:a'])
  })

  it('is remembered where it is long, and only what is new is read', async () => {
    await ends('a', LONG - 1)
    await read('a', await append('a', registered('rp', 'long'), terminated(['long'])))
    await append('a', registered('rp', 'new'), terminated(['new']))
    const found = await read('a')
    assert.deepEqual(reads, ['session_logout:a', `session_logout:a from ${LONG + 1}`])
    assert.deepEqual(found, await readLogout(store, 'a'))
    await append('a', sent(`${LONG + 1}/1.0`))
    assert.equal((await read('a'))?.deliveries.get(`${LONG + 1}/1.0`)?.kind, 'confirmed')
  })

  it('is brought up to date a page at a time, however much is new', async () => {
    await ends('a', LONG - 1)
    await read('a', await append('a', registered('rp', 'long'), terminated(['long'])))
    await ends('a', 2 * LONG)
    const found = await read('a')
    assert.deepEqual(
      reads.slice(1),
      [1, 2, 3].map((pages) => `session_logout:a from ${pages * LONG + 1}`),
    )
    assert.deepEqual(found, await readLogout(store, 'a'))
  })

  it('is read anew where something late appears on a later page of what is new', async () => {
    await ends('a', LONG)
    const late = await append('a', registered('rp', 'late'))
    hidden.add(late.position)
    await ends('a', 2 * LONG)
    const [first] = await store.readAll({ after: 0, limit: 1 })
    await read('a', first as Commit)
    hidden.clear()
    await append('a', terminated(['late']))
    assert.deepEqual(await read('a'), await readLogout(store, 'a'))
  })

  it('is read anew where a commit of the batch was not to be seen before', async () => {
    await ends('a', LONG)
    const late = await append('a', registered('rp', 'late'), terminated(['late']))
    hidden.add(late.position)
    await append('a', registered('rp', 'last'), terminated(['last']))
    const [first] = await store.readAll({ after: 0, limit: 1 })
    assert.equal((await read('a', first as Commit))?.terminationsAt.get(late.position), undefined)
    hidden.clear()
    assert.equal((await read('a', late))?.terminationsAt.get(late.position)?.length, 1)
    assert.deepEqual(await read('a'), await readLogout(store, 'a'))
  })

  it('is read anew where a commit appears of which another process has had the batch', async () => {
    await ends('a', LONG)
    const late = await append('a', registered('rp', 'late'))
    hidden.add(late.position)
    await append('a', registered('rp', 'last'))
    const [first] = await store.readAll({ after: 0, limit: 1 })
    await read('a', first as Commit)
    hidden.clear()
    const end = await append('a', terminated(['late']))
    assert.deepEqual(await read('a', end), await readLogout(store, 'a'))
  })

  it('is the same for two who read it at once', async () => {
    await ends('a', LONG)
    await read('a')
    await append('a', registered('rp', 'new'), terminated(['new']))
    const [one, two] = await Promise.all([read('a'), read('a')])
    assert.deepEqual(one, await readLogout(store, 'a'))
    assert.deepEqual(two, one)
  })

  it('is read anew after something in it that this version does not know', async () => {
    await ends('a', LONG)
    await read('a')
    const stranger = { stream: 'session_logout:a', type: 'session_logout.sung', data: {} }
    await store.append({ events: [toEvent('a', registered('rp', 'x')), stranger] })
    await assert.rejects(read('a'), { code: 'EVENT_TYPE_UNKNOWN' })
    await assert.rejects(read('a'), { code: 'EVENT_TYPE_UNKNOWN' })
    assert.deepEqual(reads.slice(-1), ['session_logout:a'])
  })

  it('is read with the others in one command where none is remembered', async () => {
    await ends('a', 1)
    await ends('b', 1)
    const found = await logouts.read(['a', 'b', 'unknown'], [])
    assert.deepEqual(reads, ['session_logout:a session_logout:b session_logout:unknown'])
    assert.deepEqual([...found.keys()], ['a', 'b', 'unknown'])
    assert.equal(found.get('unknown')?.terminations.length, 0)
    reads = []
    assert.equal((await logouts.read([], [])).size, 0)
    assert.deepEqual(reads, [])
  })

  it('is forgotten before all of them together are too many', async () => {
    const many = Array.from({ length: 30_000 }, () => toEvent('x', sent('1/0.0')))
    for (const uid of ['a', 'b', 'c']) {
      const commits = many.map(({ type, data }, n) => ({
        position: n + 1,
        id: `${n}`,
        at: 0,
        meta: {},
        events: [{ stream: `session_logout:${uid}`, type, data }],
      }))
      const { readStreams } = store
      store.readStreams = async (_, { from = 1, limit } = {}) => commits.slice(from - 1).slice(0, limit)
      await read(uid, commits.at(-1) as Commit)
      store.readStreams = readStreams
    }
    reads = []
    await read('a')
    await read('c')
    assert.deepEqual(reads, ['session_logout:a', 'session_logout:c from 30001'])
  })
})
