import assert from 'node:assert/strict'
import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys, type NewEvent, silent } from '../../lib/index.ts'
import { LogRetention } from '../../lib/retention/retention.ts'
import { RETENTION_DEFAULTS } from '../../lib/retention/retention-options.ts'
import { PAGE } from '../../lib/retention/retention-walk.ts'
import { aged } from '../support/aged-store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { openDatabase } from '../support/mongo-database.ts'

const DAY = 86_400_000

/** So many appends wait for each other at a time: each is answered within nine seconds, however busy the machine is. */
const AT_ONCE = 200

/** What a page of retention costs is bounded, whatever lies in the log. */
describe('what retention costs on MongoDB', () => {
  const kinds: Record<string, (n: number) => NewEvent> = {
    'expired interactions': (n) => stored('Interaction', `${n}`, { exp: 1 }),
    'tokens that live': (n) => stored('AccessToken', `${n}`, { exp: 4_000_000_000 }),
    'one client that is saved again and again': () => stored('Client', 'rp', {}),
    'sessions that rotate': (n) => ({
      ...stored('Session', `${n}`, { exp: 1 }),
      also: [`uid:${n >> 4}`, `account:${n >> 6}`, `sid:${n}`],
    }),
  }

  for (const [kind, eventOf] of Object.entries(kinds)) {
    it(`is at most 60 commands for ${PAGE} commits: ${kind}`, async () => {
      const commits = 4 * PAGE
      const database = await openDatabase('retained')
      const client = new MongoClient(database.uri, { monitorCommands: true })
      let commands = 0
      client.on('commandStarted', ({ commandName }) => {
        if (!['hello', 'ping', 'endSessions'].includes(commandName)) commands += 1
      })
      const store = await MongoEventStore.open(client.db(database.name), { keys: ephemeralKeys(), logger: silent })
      for (let from = 0; from < commits; from += AT_ONCE)
        await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => store.append({ events: [eventOf(from + n)] })))
      // As old as can be: the machine's clock and the store's say so.
      const clock = new FakeClock(Date.now() + 1_000 * DAY)
      const retention = new LogRetention({
        store: aged(store, clock),
        clock,
        logger: silent,
        policy: RETENTION_DEFAULTS,
        rules: [],
      })
      await retention.run()
      await clock.advance(40 * DAY)
      commands = 0
      const report = await retention.run()
      assert.equal(report.looked >= commits - 1_000, true, JSON.stringify(report))
      assert.ok(commands / (report.looked / PAGE) < 60, `${commands} commands for ${report.looked} commits`)
      await store.close()
      await client.close()
      await database.drop()
    })
  }
})

function stored(model: string, id: string, data: NewEvent['data']): NewEvent {
  return { stream: `${model}:${id}`, type: 'stored', data: { model, ...data } }
}
