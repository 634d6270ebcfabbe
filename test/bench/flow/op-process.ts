// The OP of a benchmark, in a process of its own:
// `node op-process.ts <kind> <uri> <database> <port> [<issuer>] [counted]`.
import { BSON, type Document, MongoClient } from 'mongodb'
import Provider from 'oidc-provider'
import { MongoEventStore } from '../../../adapters/mongodb/index.ts'
import { eventSourced, type Plugin } from '../../../lib/index.ts'
import { backChannelLogout } from '../../../plugins/back-channel-logout/index.ts'
import { testClient, testSigningKey } from '../../support/op.ts'
import { crudAdapter } from './crud-adapter.ts'

/** What keeps the provider's state. */
export type OpKind =
  | 'CRUD adapter'
  | 'this package'
  | 'this package, nothing held'
  | 'this package, with the plugin'
  | 'in memory'

/** What the process has used and sent until now. */
export interface Usage {
  readonly cpuMs: number
  readonly commands: number
  /** Of commands and their answers. */
  readonly bytes: number
}

const [kind = '', uri = '', database = '', port = '0', given = '', counted] = process.argv.slice(2)
const issuer = given || `http://127.0.0.1:${port}`
for (const method of ['info', 'warn'] as const) console[method] = () => {} // oidc-provider on development features

/** The same in all processes of a benchmark. */
const secret = Buffer.alloc(32, 'benchmark').toString('base64url')
const KEYS = { sealing: [{ id: '1', secret }], hashing: [{ id: '1', secret }] }

let commands = 0
let bytes = 0
// Watching commands costs time: only where they are counted, and not timed.
const monitorCommands = counted === 'counted'
const client = new MongoClient(uri, { monitorCommands, writeConcern: { w: 'majority', journal: true } })
const sizeOf = (document: unknown): number => BSON.calculateObjectSize(document as Document)
client.on('commandStarted', ({ command }) => {
  commands++
  bytes += sizeOf(command)
})
client.on('commandSucceeded', ({ reply }) => {
  bytes += sizeOf(reply)
})
const configuration = {
  clients: [testClient('rp')],
  cookies: { keys: ['cookie signing key of the benchmark'] },
  jwks: { keys: [await testSigningKey()] },
  pkce: { required: () => false },
  features: { introspection: { enabled: true }, revocation: { enabled: true } },
}
const provider = await make(kind as OpKind)
provider.listen(Number(port), '127.0.0.1', () => process.send?.('ready'))

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  const usage: Usage = { cpuMs: (user + system) / 1_000, commands, bytes }
  process.send?.(usage)
})
process.on('disconnect', () => process.exit())

async function make(kind: OpKind): Promise<Provider> {
  if (kind === 'in memory') return new Provider(issuer, configuration as never)
  const db = client.db(database)
  if (kind === 'CRUD adapter')
    return new Provider(issuer, { ...configuration, adapter: await crudAdapter(db) } as never)
  const plugins: Plugin[] = kind === 'this package, with the plugin' ? [backChannelLogout()] : []
  const held = kind === 'this package, nothing held' ? { heldBytes: 0 } : {}
  const op = eventSourced(await MongoEventStore.open(db, { keys: KEYS }), { plugins, ...held })
  const made = new Provider(issuer, op.configure(configuration) as never)
  await op.start(made)
  return made
}
