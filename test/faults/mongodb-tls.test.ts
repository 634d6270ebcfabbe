import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys, silent } from '../../lib/index.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { authority, type Certified, signedBy } from '../support/certificates.ts'
import { type CommandResult, command } from '../support/command.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type MongoServer, startServer } from '../support/mongo-server.ts'

/** What a client brings: the authority that it trusts, and its own certificate, if any. */
interface Brings {
  readonly server?: MongoServer
  readonly ca: string
  readonly client?: string
}

describe('a MongoDB server that takes TLS alone, and clients with certificates alone', () => {
  const keys = ephemeralKeys()
  const servers: MongoServer[] = []
  const clients: MongoClient[] = []
  let folder: string
  let good: Brings
  let bad: Record<string, { readonly brings: Brings; readonly said: RegExp }>

  /** Certificate and key in one file. */
  async function file({ name, cert, key }: Certified): Promise<string> {
    const path = join(folder, `${name}.pem`)
    await writeFile(path, cert + key)
    return path
  }

  async function withoutKey({ name, cert }: Certified): Promise<string> {
    const path = join(folder, `${name}.pem`)
    await writeFile(path, cert)
    return path
  }

  async function serverWith(certificate: Certified, ca: string): Promise<MongoServer> {
    const both = await file(certificate)
    const [cert, key] = [`${both}.cert`, `${both}.key`]
    await writeFile(cert, certificate.cert)
    await writeFile(key, certificate.key)
    const server = await startServer({ port: 0, tls: { cert, key, both, ca } })
    servers.push(server)
    return server
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eventstore-tls-'))
    const [ours, other] = [authority('our authority'), authority('another authority')]
    const [ca, otherCa] = [await file(ours), await file(other)]
    const server = await serverWith(signedBy(ours, 'server'), ca)
    // A mongod has to be made a replica set by a client, which does not trust such a certificate.
    const outdated = await serverWith(signedBy(ours, 'outdated server', [2021, 2022]), ca).catch(() => undefined)
    const client = await file(signedBy(ours, 'client'))
    good = { server, ca, client }
    bad = {
      'trusts another authority': { brings: { ...good, ca: otherCa }, said: /unable to verify the first certificate/ },
      'has a certificate without its key': {
        brings: { server, ca, client: await withoutKey(signedBy(ours, 'keyless')) },
        said: /TLS: .*does tlsCertificateKeyFile hold a key\?/,
      },
      'has no certificate': { brings: { server, ca }, said: /TLS: .*certificate required|closed|reset/ },
      'has a certificate of another authority': {
        brings: { ...good, client: await file(signedBy(other, 'stranger')) },
        said: /TLS: .*unknown ca|closed|reset/,
      },
      'has a certificate that has expired': {
        brings: { ...good, client: await file(signedBy(ours, 'outdated client', [2021, 2022])) },
        said: /TLS: .*certificate expired|closed|reset/,
      },
      ...(outdated && {
        'meets a server whose certificate has expired': {
          brings: { ...good, server: outdated },
          said: /certificate has expired/,
        },
      }),
    }
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close()
  })
  after(async () => {
    await Promise.all(servers.map((server) => server.stop()))
    await rm(folder, { recursive: true })
  })

  function address({ server, ca, client }: Brings): string {
    const uri = new URL(server?.uri ?? '')
    uri.pathname = '/op'
    uri.searchParams.set('tls', 'true')
    uri.searchParams.set('tlsCAFile', ca)
    if (client) uri.searchParams.set('tlsCertificateKeyFile', client)
    return uri.href
  }

  function connect(brings: Brings, serverSelectionTimeoutMS: number): MongoClient {
    const client = new MongoClient(address(brings), { serverSelectionTimeoutMS })
    clients.push(client)
    return client
  }

  const cli = (brings: Brings): Promise<CommandResult> =>
    command(['status'], { env: { EVENTSTORE_STORE: address(brings), EVENTSTORE_KEYS: JSON.stringify(keys) } })

  it('keeps a log, for the store and for the command line', async () => {
    const store = await MongoEventStore.open(connect(good, 5_000).db('op'), { keys, logger: silent })
    const { position } = await store.append({ events: [{ stream: 'Thing:a', type: 'stored', data: {} }] })
    for await (const [commit] of store.subscribe({ after: 0 })) {
      assert.equal(commit?.position, position)
      break
    }
    await store.close()
    const { code, err, out } = await cli(good)
    assert.equal(code, 0, err)
    assert.match(out, /1/)
  })

  it('is STORE_UNAVAILABLE, with the reason, to whoever it does not take, or who does not take it', async () => {
    await Promise.all(
      Object.entries(bad).map(async ([who, { brings, said }]) => {
        const open = () => MongoEventStore.open(connect(brings, 1_000).db('op'), { keys, logger: silent })
        const { message } = await rejectsWith('STORE_UNAVAILABLE', open)
        assert.match(message, said, `who ${who}`)
      }),
    )
  })

  it('is told from one without TLS: whoever comes without, or comes with it to the other, is asked whether that is so', async () => {
    const plain = await startServer({ port: 0 })
    servers.push(plain)
    const without = new URL(address(good))
    without.search = ''
    for (const uri of [without.href, address({ ...good, server: plain })]) {
      const client = new MongoClient(uri, { serverSelectionTimeoutMS: 1_000 })
      clients.push(client)
      const open = () => MongoEventStore.open(client.db('op'), { keys, logger: silent })
      const { message } = await rejectsWith('STORE_UNAVAILABLE', open)
      assert.match(message, /do both the server and the address \(tls=true\) use TLS, or neither\?$/)
    }
  })

  it('is wrongly used with a file that is not there', async () => {
    const nowhere = { ...good, ca: join(folder, 'nowhere.pem') }
    const open = () => MongoEventStore.open(connect(nowhere, 1_000).db('op'), { keys, logger: silent })
    const { message } = await rejectsWith('OPTION_INVALID', open)
    assert.match(message, /cannot be read \(ENOENT.*nowhere\.pem'\): see tlsCAFile/)
    const { code, err } = await cli(nowhere)
    assert.equal(code, 2)
    assert.match(err, /ENOENT.*nowhere\.pem/)
  })

  it('is so within the limit of open(), however long the driver would go on', async () => {
    const clock = new FakeClock()
    for (const { brings, said } of Object.values(bad)) {
      const client = connect(brings, 30_000)
      const failed = once(client, 'serverHeartbeatFailed')
      const opening = rejectsWith('STORE_UNAVAILABLE', () =>
        MongoEventStore.open(client.db('op'), { keys, clock, logger: silent }),
      )
      await failed
      await clock.advance(9_000)
      assert.match((await opening).message, said)
    }
  })

  it('is so to the command line, in a line and with its exit code', async () => {
    const results = await Promise.all(Object.values(bad).map(({ brings }) => cli(brings)))
    for (const [index, { said }] of Object.values(bad).entries()) {
      const { code, err } = results[index] as CommandResult
      assert.equal(code, 3, err)
      assert.match(err, said)
      assert.match(err, /^STORE_UNAVAILABLE: .*\nsee .*\/STORE_UNAVAILABLE\.md\n$/)
    }
  })
})
