import assert from 'node:assert/strict'
import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { type Clock, ephemeralKeys, systemClock } from '../../lib/index.ts'
import { privateDatabase } from '../support/mongo-database.ts'
import { type Op, startOp, testClient } from '../support/op.ts'
import { type FLOW_STEPS, wholeFlow } from '../support/whole-flow.ts'

type Step = (typeof FLOW_STEPS)[number]

interface Counts {
  readonly writes: number
  readonly reads: number
}

/** What each request may cost: writing commands are exact, reading ones at most so many. */
const ALLOWED: Readonly<Record<Step, Counts>> = {
  authorize: { writes: 1, reads: 0 },
  'login page': { writes: 0, reads: 1 },
  login: { writes: 1, reads: 2 },
  'resume after login': { writes: 1, reads: 2 },
  'consent page': { writes: 0, reads: 2 },
  consent: { writes: 2, reads: 3 },
  'resume after consent': { writes: 1, reads: 1 },
  exchange: { writes: 1, reads: 1 },
  userinfo: { writes: 0, reads: 1 },
  introspect: { writes: 0, reads: 1 },
  refresh: { writes: 1, reads: 1 },
  revoke: { writes: 1, reads: 1 },
  end_session: { writes: 1, reads: 1 },
  confirm: { writes: 1, reads: 1 },
  'logged out page': { writes: 0, reads: 0 },
}
const MOST: Counts = { writes: 11, reads: 18 }

/** A request that takes longer than its moment lasts asks once more: here none does, however busy the machine. */
const STANDING_STILL: Clock = { ...systemClock, monotonic: () => 1_000 }

const WRITING = new Set(['insert', 'update', 'delete', 'findAndModify', 'bulkWrite'])
const READING = new Set(['find', 'aggregate', 'count', 'distinct', 'getMore'])

describe('the database commands of a whole flow', () => {
  const mongo = privateDatabase()
  const rp = testClient('rp')
  const commands: string[] = []
  let client: MongoClient
  let store: MongoEventStore
  let op: Op

  before(async () => {
    client = await MongoClient.connect(mongo.uri, { monitorCommands: true })
    client.on('commandStarted', ({ commandName }) => commands.push(commandName))
    store = await MongoEventStore.open(client.db(mongo.name), { keys: ephemeralKeys() })
    op = await startOp(store, { clients: [rp], clock: STANDING_STILL })
    for await (const _ of wholeFlow(op, rp)); // what is done once per process is not a request's
  })

  after(async () => {
    await op.stop()
    await store.close()
    await client.close()
  })

  it('are as few as each request needs, and at most 11 that write and 18 that read in all', async () => {
    // Servers before 8.0 have no bulkWrite over collections: there each commit takes its ticket with a command of its own.
    const commandsPerCommit = (await hello()).maxWireVersion >= 25 ? 1 : 2
    const counts = new Map<string, Counts>()
    commands.length = 0
    for await (const { name } of wholeFlow(op, rp)) {
      const seen = commands.splice(0)
      const others = seen.filter((command) => !WRITING.has(command) && !READING.has(command))
      assert.deepEqual(others, [], `${name}: commands of another kind`)
      counts.set(name, {
        writes: seen.filter((command) => WRITING.has(command)).length / commandsPerCommit,
        reads: seen.filter((command) => READING.has(command)).length,
      })
    }
    const total = {
      writes: [...counts.values()].reduce((sum, { writes }) => sum + writes, 0),
      reads: [...counts.values()].reduce((sum, { reads }) => sum + reads, 0),
    }
    print([...counts, ['total', total]])
    for (const [name, { writes, reads }] of Object.entries(ALLOWED)) {
      const seen = counts.get(name)
      assert.equal(seen?.writes, writes, `${name}: ${seen?.writes} writing commands, ${writes} expected`)
      assert.ok(seen.reads <= reads, `${name}: ${seen.reads} reading commands, ${reads} allowed`)
    }
    assert.ok(total.writes <= MOST.writes, `${total.writes} writing commands`)
    assert.ok(total.reads <= MOST.reads, `${total.reads} reading commands`)
  })

  async function hello(): Promise<{ maxWireVersion: number }> {
    return (await mongo.client.db('admin').command({ hello: 1 })) as unknown as { maxWireVersion: number }
  }
})

function print(rows: readonly (readonly [string, Counts])[]): void {
  const line = (name: string, writes: unknown, reads: unknown): string =>
    `      ${name.padEnd(24)}${String(writes).padStart(8)}${String(reads).padStart(8)}\n`
  process.stdout.write(line('request', 'writes', 'reads'))
  for (const [name, { writes, reads }] of rows) process.stdout.write(line(name, writes, reads))
}
