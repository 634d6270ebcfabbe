import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type CommandStartedEvent, type CommandSucceededEvent, MongoClient } from 'mongodb'
import type { AdapterPayload } from 'oidc-provider'
import { detectLayout, migrate, verify } from '../../adapters/mongodb/moving/index.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import { type OpenedDatabase, openDatabase } from '../support/mongo-database.ts'
import { startedOp } from '../support/started-op.ts'
import { newPlace, openPlace, type PrivatePlace } from '../support/store-place.ts'
import { FIFTEEN } from './fifteen-layouts.ts'
import { FormerAdapter } from './former-adapter.ts'
import type { MovingSetup } from './moving-process.ts'

const PROGRAM = fileURLToPath(new URL('moving-process.ts', import.meta.url))
const TYPES = new URL('../support/types.mjs', import.meta.url).href
const [{ style } = { style: undefined as never }] = FIFTEEN

describe('moving in to a log on MongoDB', () => {
  let database: OpenedDatabase
  let place: PrivatePlace

  beforeEach(async () => {
    database = await openDatabase('moving_from')
    place = await newPlace('mongodb')
  })

  afterEach(async () => {
    await database.drop()
    await place.drop()
  })

  /** Grants, each with a session and a token. */
  async function populate(grants: number): Promise<void> {
    const former = (model: string): FormerAdapter => new FormerAdapter(database.db, model, style)
    for (let n = 0; n < grants; n++) {
      const [grantId, session, token] = [newId(), newId(), newId()]
      await former('Grant').upsert(grantId, sample('Grant', grantId) as AdapterPayload, 3_600)
      await former('Session').upsert(session, sample('Session', session) as AdapterPayload, 3_600)
      await former('AccessToken').upsert(token, sample('AccessToken', token, { grantId }) as AdapterPayload, 3_600)
    }
  }

  it('goes on where a process was killed, and stores nothing twice', async () => {
    await populate(50)
    const layout = await detectLayout(database.db)
    const setup: MovingSetup = { uri: database.uri, from: database.name, to: place.place, layout }
    const child = fork(PROGRAM, [JSON.stringify(setup)], {
      execArgv: ['--import', TYPES],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const exited = once(child, 'exit')
    await Promise.race([once(child, 'message'), exited])
    child.kill('SIGKILL')
    assert.deepEqual(await exited, [null, 'SIGKILL'])

    const { store, close } = await openPlace(place.place)
    const op = await startedOp(store)
    const from = database.db
    const { models } = await migrate({ from, op, layout })
    const sum = (count: 'read' | 'same' | 'stored'): number =>
      Object.values(models).reduce((total, counts) => total + counts[count], 0)
    assert.equal(sum('read'), 150)
    assert.ok(sum('same') >= 20 && sum('stored') > 0)
    const commits = await store.readAll({ after: 0, limit: 1_000 })
    const streams = commits
      .flatMap(({ events }) => events)
      .filter(({ type }) => type === 'stored')
      .map(({ stream }) => stream)
    assert.equal(streams.length, 150)
    assert.equal(new Set(streams).size, 150)
    assert.ok((await verify({ from, op, layout, sampleEvery: 1 })).agrees)
    await op.stop()
    await close()
  })

  it('holds two pages of a source in memory, however large it is, and a bounded number of writes in flight', async () => {
    await populate(100)
    const client = await MongoClient.connect(database.uri, { monitorCommands: true })
    const from = client.db(database.name)
    const layout = await detectLayout(from)
    const cursors: { name: string; documents: number }[] = []
    const started = new Map<number, CommandStartedEvent>()
    client.on('commandStarted', (event) => {
      assert.ok(!['insert', 'update', 'delete', 'findAndModify', 'createIndexes', 'drop'].includes(event.commandName))
      started.set(event.requestId, event)
    })
    client.on('commandSucceeded', ({ requestId, commandName, reply }: CommandSucceededEvent) => {
      const { cursor } = reply as { cursor?: { firstBatch?: unknown[]; nextBatch?: unknown[] } }
      const documents = (cursor?.firstBatch ?? cursor?.nextBatch ?? []).length
      if (started.get(requestId)?.databaseName === database.name) cursors.push({ name: commandName, documents })
    })
    const { store, close } = await openPlace(place.place)
    const op = await startedOp(store)
    cursors.length = 0
    let [now, most] = [0, 0]
    const take = op.mover.take.bind(op.mover)
    op.mover.take = async (...record) => {
      now += 1
      most = Math.max(most, now)
      try {
        return await take(...record)
      } finally {
        now -= 1
      }
    }
    await migrate({ from, op, layout, pageSize: 25, inFlight: 10 })
    assert.equal(most, 10)
    const pages = cursors.filter(({ documents }) => documents > 0)
    assert.ok(Math.max(...pages.map(({ documents }) => documents)) <= 25)
    // Four pages of each of three models; one look-up of grants for each page of tokens; and what each pass asks once.
    assert.ok(cursors.length <= 3 * 5 + 4 + 8, `${cursors.length} commands`)
    await op.stop()
    await close()
    await client.close()
  })
})
