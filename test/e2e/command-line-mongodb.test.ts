import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys, generateSecret, type Keys } from '../../lib/index.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { allThatOpens } from '../support/all-that-opens.ts'
import { type CommandResult, command } from '../support/command.ts'
import { until } from '../support/log-follower.ts'
import { openDatabase } from '../support/mongo-database.ts'
import { Client, Person, startOp, testClient } from '../support/op.ts'
import { startRp } from '../support/rp.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

type PrivateDatabase = Awaited<ReturnType<typeof openDatabase>>

const CLIENT = testClient('rp')

describe('the command line on MongoDB', () => {
  const folder = temporaryFolder()
  const databases: PrivateDatabase[] = []
  let keys: Keys

  beforeEach(() => {
    keys = ephemeralKeys()
  })
  afterEach(async () => {
    for (const database of databases.splice(0)) await database.drop()
  })

  async function database(name: string): Promise<PrivateDatabase> {
    const made = await openDatabase(name)
    databases.push(made)
    return made
  }

  const at = ({ uri, name }: PrivateDatabase): string => {
    const address = new URL(uri)
    address.pathname = `/${name}`
    return address.href
  }

  const cli = (store: PrivateDatabase, ...args: string[]): Promise<CommandResult> =>
    command(args, {
      env: {
        EVENTSTORE_STORE: at(store),
        EVENTSTORE_KEYS: JSON.stringify(keys),
        EVENTSTORE_ISSUER: 'http://127.0.0.1:4711',
      },
    })

  /** What the guide for moving in calls `op.js`. */
  async function opModule(name: string, on: PrivateDatabase): Promise<string> {
    const file = join(folder.path, `${name}.mjs`)
    const source = (path: string): string => JSON.stringify(new URL(`../../${path}`, import.meta.url).href)
    const package_ = (name_: string): string => JSON.stringify(import.meta.resolve(name_))
    await writeFile(
      file,
      `import { MongoClient } from ${package_('mongodb')}
import Provider from ${package_('oidc-provider')}
import { eventSourced, silent } from ${source('lib/index.ts')}
import { MongoEventStore } from ${source('adapters/mongodb/index.ts')}
export const client = new MongoClient(${JSON.stringify(on.uri)})
export const store = await MongoEventStore.open(client.db(${JSON.stringify(on.name)}), { keys: ${JSON.stringify(keys)} })
export const op = eventSourced(store, { logger: silent })
export const provider = new Provider('http://127.0.0.1:4711', op.configure({ clients: [${JSON.stringify(CLIENT)}] }))
`,
    )
    return file
  }

  it('moves an OP out of the log, and in again', async () => {
    const [former, classic, log] = [await database('former'), await database('classic'), await database('log')]
    const store = await MongoEventStore.open(former.db, { keys })
    const op = await startOp(store, { clients: [CLIENT], issuer: 'http://127.0.0.1:4711', port: 4711 })
    const code = (await new Person(op).authorize('rp')).get('code') ?? ''
    const { body } = await new Client(op, CLIENT).exchange(code)
    const token = String(body['access_token'])
    await op.stop()
    await store.close()

    const out = ['export', '--to', at(classic), '--op', await opModule('former', former)]
    assert.equal((await cli(former, ...out)).code, 4)
    const exported = await cli(former, ...out, '--yes', '--json')
    assert.equal(exported.code, 0, exported.err)
    assert.equal((exported.json[0] as { models: Record<string, { written: number }> }).models['Session']?.written, 1)

    const layout = await cli(log, 'layout', '--from', at(classic), '--json')
    assert.equal(layout.code, 0, layout.err)
    const file = join(folder.path, 'layout.json')
    await writeFile(file, layout.out)
    const dry = await cli(log, 'migrate', '--from', at(classic), '--layout', file, '--dry-run')
    assert.equal(dry.code, 0, dry.err)
    assert.match(dry.out, /AccessToken {2}1 read, 1 stored/)
    assert.equal((await cli(log, 'migrate', '--from', at(classic), '--yes')).code, 2)
    const into = ['migrate', '--from', at(classic), '--op', await opModule('into', log)]
    const moved = await cli(log, ...into, '--yes', '--json')
    assert.equal(moved.code, 0, moved.err)
    const compared = await cli(log, ...into.slice(0, -1), await opModule('again', log), '--verify')
    assert.equal(compared.code, 0, compared.out)
    assert.match(compared.out, /Nothing is missing/)

    const explained = await cli(log, 'explain', token)
    assert.match(explained.out, /AccessToken: valid/, explained.err)
    assert.equal((await cli(log, 'verify', '--deep')).code, 0)
    assert.match((await cli(log, 'status')).out, new RegExp(`MongoDB at .*, database ${log.name}`))
    const unreachable = await command(['status', '--store', 'mongodb://127.0.0.1:1/op'], {
      env: { EVENTSTORE_KEYS: JSON.stringify(keys) },
    })
    assert.equal(unreachable.code, 3)
  })

  it('forgets an account beside a running OP, which ends its sessions and tells the RP', async () => {
    const log = await database('forget')
    const rp = await startRp('rp')
    const store = await MongoEventStore.open(log.db, { keys })
    const plugins = [backChannelLogout({ development: true, allowInternal: ['rp'] })]
    const op = await startOp(store, { plugins, clients: [rp.metadata] })
    try {
      for (const login of ['alice of the command line', 'bob']) await new Person(op).authorize('rp', { login })
      const forget = ['forget', 'alice of the command line', '--actor', 'anna', '--settle', '0', '--issuer', op.issuer]
      const unasked = await cli(log, ...forget)
      assert.equal(unasked.code, 4, unasked.err)
      const done = await cli(log, ...forget, '--yes', '--json')
      assert.equal(done.code, 0, done.err)
      const report = done.json[0] as { keys: number; ended: number }
      assert.equal(report.keys, 1)
      assert.ok(report.ended >= 1, done.out)
      const [token] = await rp.received(1)
      assert.equal((await rp.verify(String(token), op.issuer)).sub, 'alice of the command line')
      await until(async () => (await store.work('deliveries').countOpen()) === 0)
      const opens = await allThatOpens(store)
      assert.deepEqual([opens.includes('alice of the command line'), opens.includes('bob')], [false, true])
      assert.match(
        (await cli(log, 'forget', 'nobody', '--actor', 'anna', '--issuer', op.issuer, '--yes')).out,
        /nothing is stored/,
      )
    } finally {
      await op.stop()
      await rp.stop()
      await store.close()
    }
  })

  it('seals anew what lives when the keys have changed, and says what still needs a former one', async () => {
    const log = await database('rekey')
    const store = await MongoEventStore.open(log.db, { keys })
    const op = await startOp(store, { clients: [CLIENT] })
    try {
      await new Person(op).authorize('rp')
      await op.eventSourced.adapter('Client').upsert('stored', { client_id: 'stored' }, 0)
    } finally {
      await op.stop()
      await store.close()
    }
    const key = { id: 'next', secret: generateSecret() }
    keys = { sealing: [key, ...keys.sealing], hashing: keys.hashing }
    const dry = await cli(log, 'rekey', '--dry-run', '--json')
    const done = await cli(log, 'rekey', '--yes', '--json')
    const again = await cli(log, 'rekey', '--yes')
    // The interaction of the login is over; what began without an account is sealed with the former key until it expires.
    assert.ok([0, 1].includes(dry.code) && dry.code === done.code, dry.err)
    type Report = { accountKeys: { resealed: number }; states: { resealed: number } }
    const { accountKeys, states } = done.json[0] as Report
    assert.deepEqual([accountKeys.resealed, states.resealed], [1, 1])
    assert.match(again.out, /keys of accounts: 0 of 1 sealed anew/)
    assert.match(again.out, /states: 0 of/)
  })
})
