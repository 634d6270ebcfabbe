// The OP of a benchmark, in a process of its own: `node op-process.ts <setup as JSON>`. Asked, it tells its usage.
import { BSON, type Document, MongoClient } from 'mongodb'
import Provider, { type ClientMetadata, type Configuration } from 'oidc-provider'
import { MongoEventStore } from '../../../adapters/mongodb/index.ts'
import { eventSourced, type Plugin } from '../../../lib/index.ts'
import { backChannelLogout } from '../../../plugins/back-channel-logout/index.ts'
import { testClient, testSigningKey } from '../../support/op.ts'
import { KEYS } from '../keys.ts'
import { crudAdapter } from './crud-adapter.ts'

/** What keeps the provider's state, and which of its logouts RPs are told of. */
export type OpKind =
  | 'CRUD adapter'
  | 'CRUD adapter, back-channel logout of oidc-provider'
  | 'this package'
  | 'this package, nothing held'
  | 'this package, with the plugin'
  | 'in memory'

export interface OpSetup {
  readonly kind: OpKind
  readonly uri: string
  readonly database: string
  readonly port: number
  /** Default: its own address. */
  readonly issuer?: string
  /** Whether commands are counted. That takes time. Default: no. */
  readonly counted?: boolean
  /** Default: one client, `rp`. */
  readonly clients?: readonly ClientMetadata[]
  /** Whether whoever is logged in is taken to have consented. Default: no. */
  readonly consented?: boolean
}

/** What the process has used and sent until now. */
export interface Usage {
  readonly cpuMs: number
  readonly commands: number
  /** Of commands and their answers. */
  readonly bytes: number
}

const setup = JSON.parse(process.argv[2] ?? '') as OpSetup
const { kind, uri, database, port, counted: monitorCommands = false, clients = [testClient('rp')] } = setup
const issuer = setup.issuer ?? `http://127.0.0.1:${port}`
for (const method of ['info', 'warn'] as const) console[method] = () => {} // oidc-provider on development features

let commands = 0
let bytes = 0
const client = new MongoClient(uri, { monitorCommands, writeConcern: { w: 'majority', journal: true } })
const sizeOf = (document: unknown): number => BSON.calculateObjectSize(document as Document)
client.on('commandStarted', ({ command }) => {
  commands++
  bytes += sizeOf(command)
})
client.on('commandSucceeded', ({ reply }) => {
  bytes += sizeOf(reply)
})
const consent: NonNullable<Configuration['loadExistingGrant']> = async ({ oidc }) => {
  const grant = new oidc.provider.Grant({ accountId: oidc.account?.accountId, clientId: oidc.client?.clientId })
  grant.addOIDCScope('openid')
  await grant.save()
  return grant
}
const features = { introspection: { enabled: true }, revocation: { enabled: true } }
const configuration = {
  clients,
  cookies: { keys: ['cookie signing key of the benchmark'] },
  jwks: { keys: [await testSigningKey()] },
  pkce: { required: () => false },
  features,
  ...(setup.consented && { loadExistingGrant: consent }),
}
const provider = await make()
provider.listen(port, '127.0.0.1', () => process.send?.('ready'))

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  const usage: Usage = { cpuMs: (user + system) / 1_000, commands, bytes }
  process.send?.(usage)
})
process.on('disconnect', () => process.exit())

async function make(): Promise<Provider> {
  if (kind === 'in memory') return new Provider(issuer, configuration as never)
  const db = client.db(database)
  if (kind.startsWith('CRUD adapter')) return withCrudAdapter(await crudAdapter(db))
  const internal = clients.map(({ client_id }) => client_id)
  const plugins: Plugin[] =
    kind === 'this package, with the plugin' ? [backChannelLogout({ development: true, allowInternal: internal })] : []
  const held = kind === 'this package, nothing held' ? { heldBytes: 0 } : {}
  const op = eventSourced(await MongoEventStore.open(db, { keys: KEYS }), { plugins, ...held })
  const made = new Provider(issuer, op.configure(configuration) as never)
  await op.start(made)
  return made
}

function withCrudAdapter(adapter: Configuration['adapter']): Provider {
  if (kind === 'CRUD adapter') return new Provider(issuer, { ...configuration, adapter } as never)
  // Its own dispatcher refuses loopback addresses, where the RPs are.
  const fetchAnywhere: NonNullable<Configuration['fetch']> = (url, options) => {
    const { dispatcher: _, ...others } = options ?? {}
    return fetch(url, others)
  }
  return new Provider(issuer, {
    ...configuration,
    adapter,
    fetch: fetchAnywhere,
    features: { ...features, backchannelLogout: { enabled: true } },
  } as never)
}
