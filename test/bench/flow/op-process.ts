// The OP of a benchmark, in a process of its own: `node op-process.ts crud|eventstore <uri> <database> <port> [<issuer>]`.
import { MongoClient } from 'mongodb'
import Provider from 'oidc-provider'
import { MongoEventStore } from '../../../adapters/mongodb/index.ts'
import { eventSourced } from '../../../lib/index.ts'
import { testClient, testSigningKey } from '../../support/op.ts'
import { crudAdapter } from './crud-adapter.ts'

const [kind = '', uri = '', database = '', port = '0', issuer = `http://127.0.0.1:${port}`] = process.argv.slice(2)
for (const method of ['info', 'warn'] as const) console[method] = () => {} // oidc-provider on development features

/** The same in all processes of a benchmark. */
const secret = Buffer.alloc(32, 'benchmark').toString('base64url')
const KEYS = { sealing: [{ id: '1', secret }], hashing: [{ id: '1', secret }] }

let commands = 0
const client = new MongoClient(uri, { monitorCommands: true, writeConcern: { w: 'majority', journal: true } })
client.on('commandStarted', () => {
  commands++
})
const db = client.db(database)
const configuration = {
  clients: [testClient('rp')],
  cookies: { keys: ['cookie signing key of the benchmark'] },
  jwks: { keys: [await testSigningKey()] },
  pkce: { required: () => false },
  features: { introspection: { enabled: true }, revocation: { enabled: true } },
}
const provider = await make(issuer)
provider.listen(Number(port), '127.0.0.1', () => process.send?.({ ready: true }))

process.on('message', (question) => {
  if (question !== 'count') return
  void countDocuments().then((documents) => process.send?.({ commands, documents }))
})
process.on('disconnect', () => process.exit())

async function make(issuer: string): Promise<Provider> {
  if (kind === 'crud') return new Provider(issuer, { ...configuration, adapter: await crudAdapter(db) } as never)
  const op = eventSourced(await MongoEventStore.open(db, { keys: KEYS }))
  const made = new Provider(issuer, op.configure(configuration) as never)
  await op.start(made)
  return made
}

async function countDocuments(): Promise<number> {
  const before = commands
  const collections = await db.collections()
  const counts = await Promise.all(collections.map((collection) => collection.countDocuments()))
  commands = before
  return counts.reduce((sum, count) => sum + count, 0)
}
