import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Document } from 'mongodb'
import { Consumer } from '../../lib/log/consumer.ts'
import { present } from '../contract/event-store/expect.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { type Appending, append, appendAll, commitOf, tagOf } from '../support/appending.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { assertLogSound } from '../support/invariants.ts'
import { openProxiedLog, type Path, type ProxiedLog } from '../support/proxied-log.ts'

/** How long a command may take, and after how long a batch is overtaken by the next one. */
const COMMAND_MS = 4_000
const OVERTAKE_MS = 250

interface Scene extends ProxiedLog {
  readonly clock: FakeClock
  /** Connections that the driver has given up because of an error. */
  readonly lost: () => number
}

async function openScene(path: Path = 'quiet path'): Promise<Scene> {
  const clock = new FakeClock()
  const log = await openProxiedLog({ path, clock, client: { retryWrites: false, retryReads: false } })
  let lost = 0
  log.proxiedDb.client.on('connectionClosed', ({ reason }) => {
    if (reason === 'error') lost += 1
  })
  return { ...log, clock, lost: () => lost }
}

/** Moves the clock on until the work is done, not much faster than the machine's: the driver lives in that one's time. */
async function advancing<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  let isDone = false
  const noted = work.finally(() => {
    isDone = true
  })
  noted.catch(() => {})
  while (!isDone) {
    await clock.advance(5)
    await sleep(1)
  }
  return noted
}

function isAtMajority({ find, readConcern }: Document): boolean {
  return find === 'events' && readConcern?.level === 'majority'
}

const places: readonly { readonly path: Path; readonly command: string; readonly what: string }[] = [
  { path: 'quiet path', command: 'bulkWrite', what: 'the fast path' },
  { path: 'ticket path', command: 'insert', what: 'an insert' },
  { path: 'ticket path', command: 'findAndModify', what: 'the allocation of positions' },
]

for (const { path, command, what } of places) {
  for (const when of ['before', 'after'] as const) {
    const carriedOut = when === 'before' ? 'does not see it' : 'carries it out'
    describe(`a connection that goes silent with ${what}, where the server ${carriedOut}`, () => {
      let scene: Scene
      const answered: Appending[] = []
      beforeEach(async () => {
        scene = await openScene(path)
        answered.length = 0
        answered.push(...(await appendAll(scene.store, [commitOf('first'), commitOf('second')], 'one by one')))
      })
      afterEach(() => scene.remove())

      it('costs the appends on it four seconds, and others a moment; it is given up', async () => {
        const { store, proxy, clock, lost } = scene
        const silence = proxy.silence({ command }, when)
        let isAnswered = false
        const onIt = appendAll(store, [commitOf('on it'), commitOf('on it too')]).finally(() => {
          isAnswered = true
        })
        await silence.happened
        const others = appendAll(store, [commitOf('a'), commitOf('b')])
        await clock.advance(OVERTAKE_MS)
        const answeredOthers = await others
        assert.equal(isAnswered, false)
        assert.equal(lost(), 0)
        await clock.advance(COMMAND_MS - OVERTAKE_MS)
        answered.push(...answeredOthers, ...(await advancing(clock, onIt)))
        assert.deepEqual(
          answered.map(({ code }) => code),
          range(6).map(() => undefined),
        )
        assert.equal(lost(), 1)
        await assertLogSound(scene.db, { answered })
      })

      it('lets a later append of the same stream wait, so that it lands above', async () => {
        const { store, proxy, clock } = scene
        const silence = proxy.silence({ command }, when)
        const earlier = append(store, commitOf('earlier', { stream: 'Thing:one' }))
        await silence.happened
        const later = append(store, commitOf('later', { stream: 'Thing:one' }))
        await clock.advance(COMMAND_MS)
        answered.push(...(await advancing(clock, Promise.all([earlier, later]))))
        assert.ok(Number(answered.at(-1)?.position) > Number(answered.at(-2)?.position))
        await assertLogSound(scene.db, { answered })
      })
    })
  }
}

describe('an insert that the server carries out only after it was given up', () => {
  for (const path of ['quiet path', 'ticket path'] as const) {
    it(`changes nothing: its positions are dead, and its commits are where they were sent again, on the ${path}`, async () => {
      const { store, proxy, clock, db, remove } = await openScene(path)
      const answered = await appendAll(store, [commitOf('first'), commitOf('second')], 'one by one')
      const command = path === 'quiet path' ? 'bulkWrite' : 'insert'
      const commit = commitOf('late', { claims: [{ kind: 'once', mark: 'code' }] })
      const holds = (request: Document): boolean => JSON.stringify(request).includes(tagOf(commit))
      const held = proxy.hold({ command, where: holds })
      const late = append(store, commit)
      await held.arrived
      const sentAgain: Document[] = []
      const spy = (request: Document): boolean => {
        if (holds(request)) sentAgain.push(request)
        return false
      }
      proxy.dropBefore({ command: ['insert', 'bulkWrite'], where: spy })
      await clock.advance(COMMAND_MS)
      answered.push(await advancing(clock, late))
      held.release()
      for (const request of sentAgain) assert.ok(positionIn(request, tagOf(commit)) > 3, 'never at the same position')
      answered.push(await advancing(clock, append(store, commitOf('after'))))
      assert.deepEqual(
        answered.map(({ code }) => code),
        range(4).map(() => undefined),
      )
      const follower = new Follower(store, 0)
      await advancing(clock, follower.saw(answered.flatMap(({ id }) => id ?? [])))
      await follower.stop()
      await assertLogSound(db, { answered, subscribers: [{ after: 0, ids: follower.ids }] })
      await remove()
    })
  }
})

describe('a connection that goes silent', () => {
  let scene: Scene
  let answered: Appending[]
  beforeEach(async () => {
    scene = await openScene()
    answered = await appendAll(scene.store, [commitOf('first'), commitOf('second')], 'one by one')
  })
  afterEach(() => scene.remove())

  it('while an outcome is resolved costs four seconds more', async () => {
    const { store, proxy, clock, db } = scene
    proxy.cutAfter({ command: 'bulkWrite' })
    const silence = proxy.silence({ command: 'find', where: isAtMajority }, 'before')
    const unknown = append(store, commitOf('unknown'))
    await silence.happened
    await clock.advance(COMMAND_MS)
    answered.push(await advancing(clock, unknown))
    assert.equal(answered.at(-1)?.code, undefined)
    await assertLogSound(db, { answered })
  })

  it('stops no subscription: it reads on over another one', async () => {
    const { store, proxy, clock, db, lost } = scene
    const follower = new Follower(store, 0)
    await follower.saw(answered.flatMap(({ id }) => id ?? []))
    const silence = proxy.silence({ command: 'find', where: isAtMajority }, 'after')
    answered.push(await append(store, commitOf('unread')))
    await silence.happened
    await clock.advance(COMMAND_MS)
    await advancing(clock, follower.saw(answered.flatMap(({ id }) => id ?? [])))
    assert.equal(lost(), 1)
    await follower.stop()
    await assertLogSound(db, { answered, subscribers: [{ after: 0, ids: follower.ids }] })
  })

  it('stops no consumer, whichever of its commands it carries', async () => {
    const { store, proxy, clock } = scene
    for (const [index, which] of [
      { command: 'find', where: isAtMajority },
      { command: 'update', where: ({ update }: Document) => update === 'consumers' },
      { command: 'findAndModify', where: ({ findAndModify }: Document) => findAndModify === 'liveness' },
    ].entries()) {
      const handled: string[] = []
      const consumer = new Consumer({
        store,
        clock,
        name: `consumer ${index}`,
        handle: async (commits) => {
          handled.push(...commits.map(({ id }) => id))
        },
      })
      await consumer.start(await store.end())
      const before = await append(store, commitOf('before'))
      await advancing(
        clock,
        until(() => handled.includes(String(before.id))),
      )
      const silence = proxy.silence(which, 'before')
      const { id } = await advancing(clock, append(store, commitOf('handled')))
      await advancing(clock, silence.happened)
      const after = await advancing(clock, append(store, commitOf('handled too')))
      await advancing(
        clock,
        until(() => handled.includes(String(after.id))),
      )
      assert.ok(handled.includes(String(id)))
      assert.equal(consumer.failure, undefined)
      await advancing(clock, consumer.stop())
    }
  })

  it('is not told to those who read, or do the work of the log: they are answered over another one', async () => {
    const { store, proxy, clock, lost } = scene
    const seen = await store.consumers.ensure('planner', 0)
    const work = { id: 'row', lane: 'lane', dueAt: 0, body: {} }
    await store.work('deliveries').add([work])
    for (const [command, call] of [
      ['find', () => store.latest('Thing:x')],
      ['find', () => store.readStreams(['Thing:x'])],
      ['find', () => store.end()],
      ['find', () => store.consumers.list()],
      ['findAndModify', () => store.consumers.take(seen, 'me')],
      ['find', () => store.work('deliveries').get('row')],
    ] as const) {
      const before = lost()
      const silence = proxy.silence({ command }, 'before')
      const answer = call()
      await silence.happened
      await clock.advance(COMMAND_MS)
      await answer
      assert.equal(lost(), before + 1, 'the silent connection is given up')
    }
    assert.equal((await store.consumers.get('planner'))?.holder, 'me')
  })

  it('is told to those who write what is not written twice, and the next call is answered', async () => {
    const { store, proxy, clock } = scene
    const silence = proxy.silence({ command: 'insert' }, 'before')
    const work = { id: 'row', lane: 'lane', dueAt: 0, body: {} }
    const added = assert.rejects(store.work('deliveries').add([work]), { code: 'STORE_UNAVAILABLE' })
    await silence.happened
    await clock.advance(2 * COMMAND_MS)
    await added
    await store.work('deliveries').add([work])
    assert.equal(present(await store.work('deliveries').get('row')).id, 'row')
  })
})

describe('a machine that is suspended for a minute', () => {
  let scene: Scene

  beforeEach(async () => {
    scene = await openScene()
  })
  afterEach(() => scene.remove())

  it('goes on with what was in flight: nothing is lost, nothing is there twice', async () => {
    const { store, proxy, clock, db } = scene
    const answered = await appendAll(store, [commitOf('first'), commitOf('second')], 'one by one')
    const follower = new Follower(store, 0)
    await follower.saw(answered.flatMap(({ id }) => id ?? []))
    const write = proxy.hold({ command: 'bulkWrite' })
    const inFlight = append(store, commitOf('in flight'))
    await write.arrived
    const queued = append(store, commitOf('queued'))
    await clock.suspend(60_000)
    write.release()
    const unknown = await advancing(clock, inFlight)
    // A minute has passed since it was sent. But its answer may be there before anybody looks at the time: that it is
    // stored, or that another one has moved the counter, so that it is not.
    if (unknown.code !== 'OUTCOME_UNKNOWN') answered.push(unknown)
    // It was not sent, or was overtaken and sent: then it is stored, or its outcome is unknown as well.
    const behind = await advancing(clock, queued)
    if (behind.code !== 'OUTCOME_UNKNOWN') answered.push(behind)
    answered.push(await advancing(clock, append(store, commitOf('afterwards'))))
    assert.equal(answered.at(-1)?.code, undefined)
    await advancing(clock, follower.saw(answered.flatMap(({ id }) => id ?? [])))
    await follower.stop()
    const times = (await db.collection<{ e: Document[] }>('events').find().toArray()).filter(({ e }) =>
      e.some(({ d }) => d.tag === unknown.tag),
    ).length
    assert.ok(times <= 1, `it is there ${times} times`)
    await assertLogSound(db, { answered, subscribers: [{ after: 0, ids: follower.ids }] })
  })
})

/** Where a command would insert the commit. */
function positionIn({ documents, ops }: Document, tag: string): number {
  const inserted: Document[] = documents ?? ops.flatMap(({ document }: Document) => document ?? [])
  return Number(inserted.find((document) => JSON.stringify(document).includes(tag))?.['_id'])
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}
