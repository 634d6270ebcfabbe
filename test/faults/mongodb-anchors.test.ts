import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint, compactVerify, createLocalJWKSet } from 'jose'
import type { Document } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import {
  type Anchor,
  type Clock,
  ephemeralKeys,
  makeAnchor,
  readAnchor,
  silent,
  systemClock,
  verifyLog,
} from '../../lib/index.ts'
import { LogRetention } from '../../lib/retention/retention.ts'
import { RETENTION_DEFAULTS } from '../../lib/retention/retention-options.ts'
import { linkSegments, SEGMENT } from '../../lib/verify/segments.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { aged } from '../support/aged-store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { privateDatabase } from '../support/mongo-database.ts'

const DAY = 86_400_000

/** Does not wait for a writer that may come. */
const PATIENT: Clock = { ...systemClock, sleep: async () => {} }

/** Somebody who can write to the database, and has a copy of all of it from an earlier day. */
describe('a log on MongoDB that is put back to an earlier day', () => {
  const mongo = privateDatabase()
  const keys = ephemeralKeys()
  let store: MongoEventStore
  let prefix = ''

  beforeEach(async () => {
    prefix = `t${Math.random().toString(36).slice(2)}_`
    store = await open()
  })
  afterEach(() => store.close())

  const open = (): Promise<MongoEventStore> => MongoEventStore.open(mongo.db, { keys, prefix, logger: silent })

  /** Interactions of strangers that have expired: nobody needs them any more. */
  async function append(count: number): Promise<void> {
    const event = () => ({
      stream: `Interaction:${Math.random()}`,
      type: 'stored',
      data: { model: 'Interaction', exp: 1 },
    })
    await Promise.all(Array.from({ length: count }, () => store.append({ events: [event()] })))
  }

  async function link(): Promise<number> {
    return linkSegments(store, store.segments, await store.end(), new AbortController().signal)
  }

  const anchor = async (): Promise<Anchor> =>
    readAnchor(store.keys, (await makeAnchor({ store, clock: systemClock })).jws)

  async function codes(...anchors: readonly Anchor[]): Promise<unknown[]> {
    const found: unknown[] = []
    const report = await verifyLog(
      { store, clock: PATIENT },
      { anchors, onFault: ({ code, position }) => found.push([code, position]) },
    )
    assert.equal(report.anchors, anchors.length)
    return found
  }

  type Dump = readonly (readonly [string, readonly Document[]])[]

  async function collections(): Promise<string[]> {
    const all = await mongo.db.listCollections().toArray()
    return all.map(({ name }) => name).filter((name) => name.startsWith(prefix))
  }

  async function dump(): Promise<Dump> {
    return Promise.all(
      (await collections()).map(async (name) => {
        const documents = await mongo.db.collection(name).find({}, { promoteLongs: false }).toArray()
        return [name, documents] as const
      }),
    )
  }

  /** Puts all of it back: events, segments, their head, counters, consumers. */
  async function putBack(copy: Dump): Promise<void> {
    await store.close()
    for (const name of await collections()) await mongo.db.collection(name).deleteMany({})
    for (const [name, documents] of copy) {
      if (documents.length > 0) await mongo.db.collection(name).insertMany([...documents])
    }
    store = await open()
  }

  /** As old as can be, twice: what may go goes. */
  async function retain(): Promise<number> {
    const clock = new FakeClock(Date.now() + 1_000 * DAY)
    const parts = { store: aged(store, clock), clock, logger: silent, policy: RETENTION_DEFAULTS, rules: [] }
    const retention = new LogRetention(parts)
    await retention.run()
    await clock.advance(40 * DAY)
    return (await retention.run()).commits
  }

  it('is as the anchors say while nobody does, whatever retention removes; and is found after that, too', async () => {
    const copy = await dump()
    const empty = await anchor()
    assert.equal(empty.segment, undefined)
    assert.equal(empty.last, undefined)
    await append(SEGMENT + 20)
    const young = await anchor()
    assert.equal(young.last?.position, SEGMENT + 20)
    assert.equal(await link(), SEGMENT)
    const linked = await anchor()
    assert.equal(linked.segment?.to, SEGMENT)
    await append(2 * SEGMENT)
    assert.deepEqual(await codes(empty, young, linked), [])
    assert.ok((await retain()) >= 3 * SEGMENT - 1)
    assert.ok((await store.retention.floor()) > SEGMENT + 20)
    assert.equal((await store.readAll({ after: 0, limit: 3 * SEGMENT })).length < 30, true)
    assert.deepEqual(await codes(empty, young, linked, await anchor()), [])
    await putBack(copy)
    assert.deepEqual(await codes(empty, young, linked), [
      ['ANCHOR_AHEAD', SEGMENT + 20],
      ['ANCHOR_AHEAD', SEGMENT],
    ])
  })

  /** A copy of the database, and the anchors that were made before and after it. */
  async function copied(): Promise<Record<'before' | 'unlinked' | 'linked', Anchor> & { readonly copy: Dump }> {
    await append(SEGMENT + 20)
    await link()
    const before = await anchor()
    const copy = await dump()
    await append(SEGMENT)
    const unlinked = await anchor()
    await link()
    return { before, copy, unlinked, linked: await anchor() }
  }

  it('is found by the anchors that were made since, and by them alone', async () => {
    const { before, copy, unlinked, linked } = await copied()
    assert.deepEqual(await codes(before, unlinked, linked), [])
    await putBack(copy)
    assert.deepEqual(await codes(before), [])
    assert.deepEqual(await codes(before, unlinked, linked), [
      ['ANCHOR_AHEAD', 2 * SEGMENT + 20],
      ['ANCHOR_AHEAD', 2 * SEGMENT],
    ])
  })

  it('is found when the OP has gone on from there, and still when retention has run since', async () => {
    const { before, copy, unlinked, linked } = await copied()
    await putBack(copy)
    await append(2 * SEGMENT)
    assert.deepEqual(await codes(before, unlinked), [['ANCHOR_DIFFERS', 2 * SEGMENT + 20]])
    await link()
    assert.deepEqual(await codes(before, linked), [['ANCHOR_DIFFERS', 2 * SEGMENT]])
    assert.ok((await retain()) > SEGMENT)
    assert.deepEqual(await codes(before, linked, await anchor()), [['ANCHOR_DIFFERS', 2 * SEGMENT]])
  })

  it('is another log in its place: the anchor is of none that is there', async () => {
    await append(3)
    const foreign = await anchor()
    await store.close()
    prefix = `${prefix}o_`
    store = await open()
    await append(3)
    assert.deepEqual(await codes(foreign), [['ANCHOR_FOREIGN', 3]])
  })

  it('makes no anchor of a chain that somebody has changed', async () => {
    await append(SEGMENT)
    await link()
    const segments = mongo.db.collection<Document & { _id: number }>(`${prefix}log_segments`)
    await segments.updateOne({ _id: 1 }, { $set: { contents: 'AAAA' } })
    await rejectsWith('LOG_FORGED', () => makeAnchor({ store, clock: systemClock }))
  })

  it('has anchors that an auditor verifies with a public key, by any JOSE library', async () => {
    await append(3)
    for (const [alg, pair] of [
      ['EdDSA', generateKeyPairSync('ed25519')],
      ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ] as const) {
      const key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      const { jws } = await makeAnchor({ store, clock: systemClock }, { key })
      const half = pair.publicKey.export({ format: 'jwk' })
      const jwk = { ...half, alg, kid: await calculateJwkThumbprint(half) }
      const { payload, protectedHeader } = await compactVerify(jws, createLocalJWKSet({ keys: [jwk] }))
      assert.equal(protectedHeader.alg, alg)
      const claims = JSON.parse(new TextDecoder().decode(payload))
      assert.deepEqual(Object.keys(claims).sort(), ['iat', 'last', 'log'])
      const read = await readAnchor(store.keys, jws, { key: JSON.stringify(jwk) })
      assert.deepEqual(read.last, claims.last)
      assert.deepEqual(await codes(read), [])
    }
  })
})
