import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { type Db, type Document, MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { Consumer, ephemeralKeys, silent } from '../../lib/index.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { commitOf } from '../support/appending.ts'
import { type CommandResult, command } from '../support/command.ts'
import { type MongoServer, startServer } from '../support/mongo-server.ts'

const GUIDE = new URL('../../docs/guides/least-privilege.md', import.meta.url)

/** An action that a role is to be made without. */
interface Without {
  readonly role: string
  readonly action: string
}

/** Runs the commands of the guide, for another database, as mongosh would. */
async function runGuide(admin: MongoClient, database: string, without?: Without): Promise<void> {
  const [, code = ''] = /^```js\n([\s\S]*?)^```/m.exec(await readFile(GUIDE, 'utf8')) ?? []
  const commands: Document[] = []
  const shell = {
    getSiblingDB: () => ({
      createRole: ({ role, privileges, roles }: Document) => commands.push({ createRole: role, privileges, roles }),
      createUser: ({ user, pwd, roles }: Document) => commands.push({ createUser: user, pwd, roles }),
    }),
  }
  const run = new Function('db', 'passwordPrompt', code.replaceAll(`'op'`, `'${database}'`))
  run(shell, () => 'secret')
  assert.equal(commands.length, 4)
  for (const each of commands) {
    if (without && each['createRole'] === without.role) {
      const [privilege] = each['privileges'] as Document[]
      const left = privilege?.['actions'].filter((action: string) => action !== without.action)
      assert.equal(left.length, privilege?.['actions'].length - 1, `the guide's ${without.role} has ${without.action}`)
      each['privileges'] = [{ ...privilege, actions: left }]
    }
    await admin.db(database).command(each)
  }
}

describe('the users of MongoDB with the roles of the guide', () => {
  const keys = ephemeralKeys()
  let server: MongoServer
  let admin: MongoClient
  const clients: MongoClient[] = []
  const consumers: Consumer[] = []

  before(async () => {
    server = await startServer({ port: 0, flags: ['--auth'] })
    const first = new MongoClient(server.uri)
    await first.db('admin').command({ createUser: 'root', pwd: 'root', roles: ['root'] })
    await first.close()
    admin = new MongoClient(withUser('root', 'root', 'admin'))
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close()
  })
  after(async () => {
    await admin.close()
    await server.stop()
  })

  function withUser(user: string, password: string, database: string): string {
    const uri = new URL(server.uri)
    uri.username = user
    uri.password = password
    uri.pathname = `/${database}`
    uri.searchParams.set('authSource', database)
    return uri.href
  }

  /** The database as the user sees it. The guide calls the OP's user as its database. */
  function as(user: 'op' | 'op-migration', database: string): Db {
    const uri = withUser(user === 'op' ? database : user, 'secret', database)
    const client = new MongoClient(uri, { monitorCommands: true })
    clients.push(client)
    return client.db(database)
  }

  const cli = (store: string, ...args: string[]): Promise<CommandResult> =>
    command(args, { env: { EVENTSTORE_STORE: store, EVENTSTORE_KEYS: JSON.stringify(keys) } })
  const open = (db: Db): Promise<MongoEventStore> => MongoEventStore.open(db, { keys, logger: silent })
  const prepare = async (database: string): Promise<void> => (await open(as('op-migration', database))).close()

  it('let the OP do everything, without any right to make collections or indexes, where the database is prepared', async () => {
    await runGuide(admin, 'whole')
    await prepare('whole')
    const db = as('op', 'whole')
    await assert.rejects(db.collection('events').createIndex({ other: 1 }), { code: 13 })
    const sent = new Set<string>()
    db.client.on('commandStarted', ({ commandName }) => sent.add(commandName))
    const indexed = async (table: string): Promise<unknown> =>
      (await db.collection(table).indexes()).map(({ name }) => name)
    for (const suffix of ['', '_lanes'])
      assert.deepEqual(await indexed(`parked${suffix}`), await indexed(`deliveries${suffix}`))
    const store = await open(db)
    const { position } = await store.append({ events: [{ stream: 'Thing:a', type: 'stored', data: {} }] })
    await Promise.all(Array.from({ length: 20 }, () => store.append(commitOf('b'))))
    assert.equal((await store.latest('Thing:a'))?.position, position)
    const handled = new Promise<void>((resolve) => {
      const handle = async (): Promise<void> => {
        await store.work('parked').add([{ id: 'a', lane: 'l', dueAt: 0, body: {} }])
        resolve()
      }
      const consumer = new Consumer({ store, name: 'planner', logger: silent, handle })
      void consumer.start(0)
      consumers.push(consumer)
    })
    await handled
    await Promise.all(consumers.map((consumer) => consumer.stop()))
    await store.work('deliveries').add([{ id: 'a', lane: 'l', dueAt: 0, body: {} }])
    assert.equal((await store.work('deliveries').claim({ holder: 'h', now: 1, limit: 1, perLane: 1 })).length, 1)
    await store.index('live').put([{ id: 'a', keys: ['k'], position: 1 }])
    await store.liveness.beat(['h'])
    await store.segments.add({
      ...{ number: 1, from: 1, to: 1, tombstones: '', retired: '', link: '' },
      ...{ contents: '', retiredContents: '' },
    })
    const { id } = await store.accountKeys.obtain(['n'], { id: 'k', sealed: 's', account: 'a', usedAt: 1 })
    await store.accountKeys.destroy([id], 1)
    assert.equal(await store.accountKeys.remove([id], 2), 1)
    await store.retention.remove({ positions: [position] })
    assert.equal(await store.latest('Thing:a'), undefined)
    await store.close()
    await (await open(db)).close()
    assert.ok(sent.has('insert') && sent.has('findAndModify'))
    for (const command of ['create', 'createIndexes', 'drop', 'dropIndexes', 'collMod']) assert.ok(!sent.has(command))
  })

  it('are told what to do where the OP finds a database that was not prepared, and by the command line, which prepares it', async () => {
    await runGuide(admin, 'bare')
    const error = await rejectsWith('STORE_REFUSED', () => open(as('op', 'bare')))
    assert.match(error.message, /may not "createIndex" on bare\.scratch.*`npx oidc-provider-eventstore prepare`/)
    const refused = await cli(withUser('bare', 'secret', 'bare'), 'prepare')
    assert.notEqual(refused.code, 0)
    assert.match(refused.err, /may not "createIndex"/)
    const prepared = await cli(withUser('op-migration', 'secret', 'bare'), 'prepare')
    assert.equal(prepared.code, 0, prepared.err)
    const status = await cli(withUser('bare', 'secret', 'bare'), 'status')
    assert.equal(status.code, 0, status.err)
    // An index of a later version, which is not there yet.
    await admin.db('bare').collection('deliveries').dropIndex('holder_1')
    assert.match(
      (await rejectsWith('STORE_REFUSED', () => open(as('op', 'bare')))).message,
      /"createIndex" on bare\.deliveries: the index "holder_1" is missing/,
    )
    assert.equal((await cli(withUser('op-migration', 'secret', 'bare'), 'prepare')).code, 0)
    await (await open(as('op', 'bare'))).close()
  })

  it('are told the command that prepares a log with a prefix, and it does', async () => {
    await runGuide(admin, 'prefixed')
    const openPrefixed = () => MongoEventStore.open(as('op', 'prefixed'), { keys, prefix: 'sso_', logger: silent })
    const { message } = await rejectsWith('STORE_REFUSED', openPrefixed)
    assert.match(message, /may not "createIndex" on prefixed\.sso_scratch: the index "claims" is missing/)
    const [, args = ''] = /`npx oidc-provider-eventstore (.*?)`/.exec(message) ?? []
    const store = withUser('op-migration', 'secret', 'prefixed')
    const env = { EVENTSTORE_STORE: store, EVENTSTORE_KEYS: JSON.stringify(keys) }
    assert.equal((await command(args.split(' '), { env })).code, 0)
    await (await openPrefixed()).close()
  })

  for (const [role, action] of [
    ...['listCollections', 'listIndexes', 'find', 'insert', 'update', 'remove'].map(
      (each) => ['eventstore', each] as const,
    ),
    ['eventstoreMigration', 'createIndex'],
  ] as const) {
    it(`are refused by open() without "${action}" of ${role}, which names what is missing`, async () => {
      const name = `without_${action}`
      await runGuide(admin, name, { role, action })
      if (role === 'eventstore') {
        // Prepared by somebody who may do everything.
        const store = await open(admin.db(name))
        await store.close()
      }
      const db = as(role === 'eventstore' ? 'op' : 'op-migration', name)
      const error = await rejectsWith('STORE_REFUSED', () => open(db))
      assert.match(error.message, new RegExp(`may not "${action}"`))
    })
  }

  it('are refused with another password, and no password is printed', async () => {
    const client = new MongoClient(withUser('whole', 'a wrong one', 'whole'))
    clients.push(client)
    const error = await rejectsWith('STORE_REFUSED', () => open(client.db('whole')))
    assert.doesNotMatch(error.message, /a wrong one/)
    assert.match(error.message, /check the user, the password and authSource/)
    const { code, err } = await cli(withUser('whole', 'a wrong one', 'whole'), 'status')
    assert.equal(code, 4)
    assert.match(err, /check the user, the password and authSource/)
  })

  it('are missing in an address without a user: the command line says so', async () => {
    const uri = new URL(server.uri)
    uri.pathname = '/whole'
    const { code, err } = await cli(uri.href, 'status')
    assert.equal(code, 4)
    assert.match(err, /requires authentication.*: the address names no user\nsee .*\/STORE_REFUSED\.md\n$/)
  })

  it('are told by the command line, too, that they may not find: without the command that was refused', async () => {
    await runGuide(admin, 'unseen', { role: 'eventstore', action: 'find' })
    const { code, err } = await cli(withUser('unseen', 'secret', 'unseen'), 'status')
    assert.equal(code, 4)
    assert.match(err, /^STORE_REFUSED: the database user may not "find" on unseen\.counters/)
    assert.doesNotMatch(err, /lsid|clusterTime/)
  })
})
