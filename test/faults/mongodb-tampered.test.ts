import assert from 'node:assert/strict'
import type { Document } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { destroyAgain, forgottenEvent } from '../../lib/erasure/forgotten-keys.ts'
import { sweepAccountKeys } from '../../lib/erasure/sweep-account-keys.ts'
import {
  type Clock,
  type Commit,
  ephemeralKeys,
  type Fault,
  generateSecret,
  type Keys,
  type Logger,
  silent,
  systemClock,
  type VerifyReport,
  verifyLog,
} from '../../lib/index.ts'
import { rekeyLog } from '../../lib/rekey/rekey.ts'
import { LogRetention } from '../../lib/retention/retention.ts'
import { RETENTION_DEFAULTS } from '../../lib/retention/retention-options.ts'
import { sealedOwner } from '../../lib/secrets/account-key-owner.ts'
import { AccountKeys } from '../../lib/secrets/account-keys.ts'
import { accountNames } from '../../lib/secrets/account-names.ts'
import { dataKeyIn } from '../../lib/secrets/key-ring.ts'
import { linkSegments, retireInSegments, SEGMENT } from '../../lib/verify/segments.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { aged } from '../support/aged-store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { privateDatabase } from '../support/mongo-database.ts'

interface Line {
  readonly event?: string
  readonly position?: number
}

const DAY_MS = 86_400_000

/** Does not wait for a writer that may come. */
const PATIENT: Clock = { ...systemClock, sleep: async () => {} }

/** Somebody who can write to the database, and has no keys. */
describe('a log on MongoDB that somebody else writes to', () => {
  const mongo = privateDatabase()
  const keys = ephemeralKeys()
  let store: MongoEventStore
  let lines: Line[] = []
  let prefix = ''

  beforeEach(async () => {
    prefix = `t${Math.random().toString(36).slice(2)}_`
    store = await open(keys)
  })
  afterEach(() => store.close())

  async function open(with_: Keys): Promise<MongoEventStore> {
    lines = []
    const note = (line: object): unknown => lines.push(line as Line)
    const logger: Logger = { debug() {}, info() {}, warn: note, error: note }
    return MongoEventStore.open(mongo.db, { keys: with_, prefix, logger })
  }

  const events = () => mongo.db.collection<Document & { _id: number }>(`${prefix}events`)
  const append = (stream: string, type = 'stored'): Promise<{ readonly position: number }> =>
    store.append({ events: [{ stream, type, data: { of: stream } }] })

  async function verified(): Promise<{ readonly report: VerifyReport; readonly faults: Fault[] }> {
    const faults: Fault[] = []
    const report = await verifyLog({ store, clock: PATIENT }, { onFault: (fault) => faults.push(fault) })
    return { report, faults }
  }

  async function followed(count: number): Promise<number[]> {
    const seen: Commit[] = []
    for await (const commits of store.subscribe({ after: 0 })) {
      seen.push(...commits)
      if (seen.length >= count) break
    }
    return seen.map(({ position }) => position)
  }

  const forgeries: readonly {
    readonly name: string
    readonly how: (genuine: Document & { _id: number }) => Promise<number>
  }[] = [
    {
      name: 'changes what happened',
      how: async ({ _id }) => {
        await events().updateOne({ _id }, { $set: { 'e.0.t': 'destroyed' } })
        return _id
      },
    },
    {
      name: 'changes what is in the clear',
      how: async ({ _id }) => {
        await events().updateOne({ _id }, { $set: { 'e.0.d.of': 'another' } })
        return _id
      },
    },
    {
      name: 'changes the claims',
      how: async ({ _id }) => {
        await events().updateOne({ _id }, { $set: { k: ['o:mine'] } })
        return _id
      },
    },
    {
      name: 'changes the expiry',
      how: async ({ _id }) => {
        await events().updateOne({ _id }, { $set: { x: new Date() } })
        return _id
      },
    },
    {
      name: 'takes the proof away',
      how: async ({ _id }) => {
        await events().updateOne({ _id }, { $unset: { h: '' } })
        return _id
      },
    },
    {
      name: 'puts a commit to another place',
      how: async ({ _id: _, ...genuine }) => {
        await append('Thing:between')
        const { position } = await append('Thing:removed')
        await events().replaceOne({ _id: position }, genuine)
        return position
      },
    },
    {
      name: 'makes one',
      how: async ({ _id: _, ...genuine }) => {
        const { position } = await append('Thing:removed')
        const made = { ...genuine, c: 'made', e: [{ s: 'Thing:a', t: 'destroyed', d: {} }] }
        await events().replaceOne({ _id: position }, made)
        return position
      },
    },
  ]

  for (const { name, how } of forgeries) {
    it(`refuses what somebody ${name}, where it is read; passes over it where the log is followed; says so once`, async () => {
      const { position } = await append('Thing:a')
      const genuine = (await events().findOne({ _id: position })) as Document & { _id: number }
      const forged = await how(genuine)
      const { position: last } = await append('Thing:last')
      // Another process: this one remembers what it has appended itself.
      await store.close()
      store = await open(keys)
      await rejectsWith('LOG_FORGED', () => store.read('Thing:a'))
      await rejectsWith('LOG_FORGED', () => store.readAll({ after: 0, limit: 100 }))
      assert.equal((await store.latest('Thing:last'))?.position, last)
      const all = Array.from({ length: last }, (_, n) => n + 1)
      const others = all.filter((one) => one !== forged)
      assert.deepEqual(await followed(others.length), others)
      assert.deepEqual([...store.forged], [forged])
      assert.deepEqual(
        lines.filter(({ event }) => event === 'log_forged').map((line) => line.position),
        [forged],
      )
      const { faults } = await verified()
      assert.deepEqual(
        faults.map(({ code, position: at }) => [code, at]),
        [['COMMIT_FORGED', forged]],
      )
    })
  }

  it('a commit that says that a newer version has made it is no newer one: nobody is stopped by it', async () => {
    const { position } = await append('Thing:a')
    const { position: last } = await append('Thing:b')
    await store.close()
    await events().updateOne({ _id: position }, { $set: { 'm.v': 99 } })
    store = await open(keys)
    assert.deepEqual(await followed(1), [last])
    assert.deepEqual([...store.forged], [position])
  })

  it('a log that nobody has touched has no fault', async () => {
    for (const n of [1, 2, 3]) await append(`Thing:${n}`)
    await store.append({ events: [{ stream: 'Feature:x', type: 'set', version: 1, data: {} }] })
    await store.append({ events: [{ stream: 'Feature:x', type: 'set', version: 2, data: {} }] })
    const { report, faults } = await verified()
    assert.deepEqual(faults, [])
    assert.equal(report.commits, 5)
  })

  describe('removes', () => {
    beforeEach(async () => {
      await Promise.all(Array.from({ length: 2 * SEGMENT + 20 }, (_, n) => append(`Thing:${n}`)))
      const linked = await linkSegments(store, store.segments, await store.end(), new AbortController().signal)
      assert.equal(linked, 2 * SEGMENT)
    })

    const codes = async (): Promise<unknown[]> =>
      (await verified()).faults.map(({ code, position }) => [code, position])

    /** As retention does. */
    const retire = async (...positions: readonly number[]): Promise<number[]> => {
      const commits = await Promise.all(positions.map((one) => store.readAll({ after: one - 1, limit: 1 })))
      return retireInSegments(store.segments, commits.flat())
    }

    it('nothing: it is found as it was written down, and what retention removes is no fault', async () => {
      assert.deepEqual(await codes(), [])
      const positions = [5, 6, 7, 1_500]
      await retire(...positions)
      assert.deepEqual(await codes(), []) // a process may die in between
      await retire(5, 8) // and another one go on
      await store.retention.remove({ positions: [...positions, 8].sort((a, b) => a - b) })
      assert.deepEqual(await codes(), [])
    })

    it('nothing, and writes rubbish to the key of an account: it is told, and nobody stumbles over it', async () => {
      const alice = { issuer: 'https://op', accountId: 'alice' }
      const keysOf = () => new AccountKeys(store, systemClock)
      const id = String(dataKeyIn(await keysOf().seal('mine', 'S:1', alice)))
      const rows = mongo.db.collection<Document & { _id: string }>(`${prefix}account_keys`)
      const genuine = { ...(await rows.findOne({ _id: id })) }
      for (const [change, fault] of [
        [{ sealed: 7 }, 'KEY_UNKNOWN'],
        [{ sealed: null }, 'KEY_UNKNOWN'],
        [{ account: 7 }, 'SEAL_BROKEN'],
        [{ names: 'text' }, 'ACCOUNT_KEY_MISNAMED'],
        [{ names: [7, null] }, 'ACCOUNT_KEY_MISNAMED'],
        [{ usedAt: 'text' }, undefined],
      ] as const) {
        await rows.deleteMany({})
        await rows.insertOne({ ...genuine, ...change } as Document & { _id: string })
        assert.deepEqual(await codes(), fault === undefined ? [] : [[fault, 0]], JSON.stringify(change))
        await rekeyLog({ store, clock: systemClock })
        await sweepAccountKeys(store, 1, Date.now())
        assert.equal(typeof (await keysOf().seal('more', 'S:2', alice)), 'string')
      }
    })

    it('nothing, and puts the key of an account back that was destroyed: it is found, and destroyed again', async () => {
      const { key, sealed } = store.keys.makeDataKey()
      const alice = { issuer: 'https://op', accountId: 'alice' }
      const made = { id: key.id, sealed, account: sealedOwner(store.keys, alice, key), usedAt: 1 }
      const { id } = await store.accountKeys.obtain(accountNames(store.keys, alice), made)
      const rows = mongo.db.collection<Document & { _id: string }>(`${prefix}account_keys`)
      const genuine = await rows.findOne({ _id: id })
      await store.accountKeys.destroy([id], 2)
      await store.append({ events: [forgottenEvent('https://op', id)] })
      assert.deepEqual(await codes(), [])
      for (const putBack of [{ ...genuine }, { ...genuine, destroyedAt: 2 }]) {
        await rows.replaceOne({ _id: id }, putBack)
        assert.deepEqual(await codes(), [['ACCOUNT_KEY_BACK', await store.end()]])
        assert.deepEqual(await destroyAgain(store, { now: 3 }), [id])
        assert.deepEqual(await destroyAgain(store, { now: 3 }), [])
        const row = await rows.findOne({ _id: id })
        assert.deepEqual([row?.['sealed'], row?.['names']], [undefined, []])
      }
    })

    it('nothing, and puts back what retention has removed: it is found, and removed again', async () => {
      const positions = [5, 1_500]
      const former = await events()
        .find({ _id: { $in: positions } })
        .toArray()
      await retire(...positions)
      await store.retention.remove({ positions })
      await events().insertMany(former)
      assert.deepEqual(await codes(), [
        ['COMMIT_BACK', 5],
        ['COMMIT_BACK', 1_500],
      ])
      const clock = new FakeClock(Date.now())
      const parts = { store: aged(store, clock), clock, logger: silent, policy: RETENTION_DEFAULTS, rules: [] }
      const retention = new LogRetention(parts)
      await retention.run()
      await clock.advance(400 * DAY_MS) // what the log holds is old by then
      assert.equal((await retention.run()).commits, 2)
      assert.deepEqual(await codes(), [])
    })

    it('a commit, and puts another one there that is genuine at this place: that was there another time', async () => {
      const removed = Array.from({ length: 20 }, (_, n) => 1_981 + n)
      const former = await events()
        .find({ _id: { $in: removed } })
        .toArray()
      // The database goes back to before it, but for what was written down; and the OP goes on.
      await events().deleteMany({ _id: { $gt: 1_980 } })
      await mongo.db
        .collection<Document & { _id: string }>(`${prefix}counters`)
        .updateOne({ _id: 'events' }, { $set: { n: 1_980 }, $unset: { settled: '' } })
      await store.close()
      store = await open(keys)
      for (const n of removed) await append(`Thing:again ${n}`)
      assert.equal(await store.end(), 2_000)
      assert.deepEqual(await codes(), [['COMMIT_REPLACED', 1_001]])
      const report = await verifyLog({ store, clock: PATIENT }, { after: 1_020 }) // begins within the segment
      assert.deepEqual(report.byCode, { COMMIT_REPLACED: 1 })
      await retire(1_500)
      await store.retention.remove({ positions: [1_500] })
      assert.deepEqual(await codes(), [['COMMIT_REPLACED', 1_001]])
      for (const commit of former) await events().replaceOne({ _id: commit._id }, commit)
      assert.deepEqual(await codes(), [])
    })

    it('a commit, and forges one: nothing is written down of it, and retention stays below', async () => {
      await Promise.all(Array.from({ length: SEGMENT }, (_, n) => append(`Thing:more ${n}`)))
      await events().updateOne({ _id: 2_010 }, { $set: { 'e.0.t': 'destroyed' } })
      const { signal } = new AbortController()
      assert.equal(await linkSegments(store, store.segments, 3 * SEGMENT, signal), 2 * SEGMENT)
      assert.deepEqual(await codes(), [['COMMIT_FORGED', 2_010]])
    })

    it('a commit: it is found, wherever it is', async () => {
      await events().deleteMany({ _id: { $in: [17, 1_017, 2_010] } })
      assert.deepEqual(await codes(), [
        ['COMMIT_REMOVED', 17],
        ['COMMIT_REMOVED', 1_017],
        ['POSITION_MISSING', 2_010],
      ])
    })

    it('a commit, and puts a tombstone in its place', async () => {
      await events().replaceOne({ _id: 17 }, { c: 'x', s: [], e: [], m: { v: 1 }, at: new Date() } as never)
      assert.deepEqual(await codes(), [['COMMIT_REMOVED', 17]])
    })

    it('a commit, and says that retention did', async () => {
      await events().deleteOne({ _id: 17 })
      const segments = mongo.db.collection<Document & { _id: number }>(`${prefix}log_segments`)
      await segments.updateOne({ _id: 1 }, { $set: { retired: '_____w' } })
      assert.equal((await codes())[0]?.toString(), 'CHAIN_BROKEN,1')
    })

    it('a commit, and what was written down of it, wherever retention goes on', async () => {
      const segments = mongo.db.collection<Document & { _id: number }>(`${prefix}log_segments`)
      await events().deleteOne({ _id: 1_017 })
      await segments.deleteOne({ _id: 2 })
      const link = (): Promise<number> => linkSegments(store, store.segments, 2 * SEGMENT, new AbortController().signal)
      await rejectsWith('LOG_FORGED', link)
      assert.ok((await codes()).some((fault) => String(fault).startsWith('CHAIN_BROKEN')))
    })

    it('a commit from a segment that he has changed: retention makes no proof over that', async () => {
      const segments = mongo.db.collection<Document & { _id: number }>(`${prefix}log_segments`)
      await events().deleteOne({ _id: 17 })
      await segments.updateOne({ _id: 1 }, { $set: { retired: '_____w' } })
      assert.deepEqual(await retire(900, 1_500), [1_500])
      assert.ok((await codes()).some((fault) => String(fault) === 'CHAIN_BROKEN,1'))
    })

    it('nothing: a first look at a long log tells of each segment, and ends where another process has taken over', async () => {
      await mongo.db.collection(`${prefix}log_segments`).deleteMany({})
      await mongo.db.collection<Document & { _id: string }>(`${prefix}counters`).deleteOne({ _id: 'segments' })
      const { signal } = new AbortController()
      const takenOver = new Error('another process has taken over')
      const refused = linkSegments(store, store.segments, 2 * SEGMENT, signal, () => Promise.reject(takenOver))
      await assert.rejects(refused, takenOver)
      assert.equal((await store.segments.last())?.number, 1)
      let made = 0
      await linkSegments(store, store.segments, 2 * SEGMENT, signal, async () => {
        made += 1
      })
      assert.equal(made, 1)
    })

    it('nothing, while two processes remove others of the same segment', async () => {
      const retired = await Promise.all([retire(1, 2), retire(500, 501)])
      await store.retention.remove({ positions: retired.flat().sort((a, b) => a - b) })
      assert.deepEqual(retired.flat().length, 4)
      assert.deepEqual(await codes(), [])
    })

    it('a segment of what was written down', async () => {
      const segments = mongo.db.collection<Document & { _id: number }>(`${prefix}log_segments`)
      await segments.deleteOne({ _id: 1 })
      const found = await codes()
      assert.ok(found.some((fault) => String(fault) === 'CHAIN_BROKEN,1'))
    })
  })

  describe('the keys of the log', () => {
    const key = (id: string) => ({ id, secret: generateSecret() })

    it('are wrapped again by a newer hashing key, so that the former one may go', async () => {
      const [first, second] = [key('first'), key('second')]
      const sealing = [key('s')]
      prefix = `${prefix}r_`
      await store.close()
      store = await open({ sealing, hashing: [first] })
      await append('Thing:old')
      await store.close()
      store = await open({ sealing, hashing: [second, first] })
      await store.close()
      store = await open({ sealing, hashing: [second] })
      assert.equal((await store.read('Thing:old')).length, 1)
    })

    it('do not depend on a sealing key that is lost', async () => {
      const hashing = [key('h')]
      prefix = `${prefix}l_`
      await store.close()
      store = await open({ sealing: [key('lost')], hashing })
      await append('Thing:old')
      await store.close()
      store = await open({ sealing: [key('new')], hashing, retired: ['lost'] })
      assert.equal((await store.read('Thing:old')).length, 1)
    })

    it('are gone, or somebody else’s: the log is not opened', async () => {
      await append('Thing:a')
      const counters = mongo.db.collection<Document & { _id: string }>(`${prefix}counters`)
      const own = await counters.findOne({ _id: 'mac_keys' })
      await counters.deleteOne({ _id: 'mac_keys' })
      await rejectsWith('LOG_FORGED', () => open(keys))
      await counters.insertOne({ ...own, _id: 'mac_keys', wrapped: [`${String(own?.['wrapped']).slice(0, -3)}AAA`] })
      await rejectsWith('LOG_FORGED', () => open(keys))
    })
  })
})
