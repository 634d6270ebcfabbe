import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type Appended, type NewCommit, type NewEvent, type Plugin, StoreUnavailableError } from '../../lib/index.ts'
import { type Op, Person, startOp, testClient } from '../support/op.ts'

describe('a plugin that wants to know when a commit is stored', () => {
  let store: MemoryEventStore
  let op: Op
  let told: { appended: Appended; events: readonly NewEvent[] }[]

  beforeEach(async () => {
    told = []
    store = new MemoryEventStore()
    const plugin: Plugin = {
      name: 'listener',
      observer: {
        name: 'listener',
        sessionChanges: () => ({ events: [] }),
        committed: (appended, events) => told.push({ appended, events }),
      },
      start: async () => {},
      stop: async () => {},
    }
    op = await startOp(store, { plugins: [plugin], clients: [testClient('rp')] })
  })

  afterEach(async () => {
    await op.stop()
    await store.close()
  })

  it('is told of each commit of its provider, with its place in the log', async () => {
    await new Person(op).authorize('rp')
    const log = await store.readAll({ after: 0, limit: 100 })
    assert.ok(log.length > 1)
    assert.deepEqual(
      told.map(({ appended, events }) => [appended.position, appended.id, events.map(({ type }) => type)]),
      log.map(({ position, id, events }) => [position, id, events.map(({ type }) => type)]),
    )
  })

  it('is told of a session that application code destroys', async () => {
    const person = new Person(op)
    await person.authorize('rp')
    const before = told.length
    await op.eventSourced.adapter('Session').destroy(String(person.agent.cookie('_session')))
    assert.deepEqual(
      told.slice(before).map(({ events }) => events.map(({ type }) => type)),
      [['destroyed']],
    )
  })

  it('is not told of a commit that was not stored', async () => {
    const { append } = store
    store.append = async (_: NewCommit) => {
      throw new StoreUnavailableError('away')
    }
    await assert.rejects(new Person(op).authorize('rp'), /503/)
    store.append = append
    assert.deepEqual(told, [])
  })
})
