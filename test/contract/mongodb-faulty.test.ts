import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type Document, MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys } from '../../lib/secrets/key-ring.ts'
import { mongoUri } from '../support/mongo-database.ts'
import { proxyInFrontOf } from '../support/mongo-proxy.ts'
import { PatientStore, patiently } from '../support/patient-store.ts'
import { IMPATIENT, onlyTickets, type Path } from '../support/proxied-log.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import type { LogUnderTest } from './event-store/log-under-test.ts'
import { eventStoreContract } from './event-store.ts'

const SEED = Number(process.env['SEED'] ?? 1)

/** One request in fifty gets no answer, half of them are carried out nevertheless; all are late. */
const CHAOS = { cutBefore: 0.01, cutAfter: 0.01, delayMs: 2, mayCut }

/** Names of databases begin so. */
const DATABASES = 'eventstore_faulty_'

const networks: readonly { readonly path: Path; readonly retries: boolean }[] = [
  { path: 'quiet path', retries: true },
  { path: 'quiet path', retries: false },
  { path: 'ticket path', retries: false },
]

for (const [index, { path, retries }] of networks.entries()) {
  const driver = retries ? 'a driver that retries' : 'a driver that never retries'
  const seed = SEED + 1_000 * index
  let logs = 0
  let network: Promise<{ readonly proxy: TcpProxy; readonly client: MongoClient }> | undefined

  /** All logs are behind one proxy: making another one for each takes longer than most tests do. */
  async function startNetwork() {
    const { proxy, uri } = await proxyInFrontOf(await mongoUri())
    if (path === 'ticket path') onlyTickets(proxy, DATABASES)
    return { proxy, client: new MongoClient(uri, { ...IMPATIENT, retryWrites: retries, retryReads: retries }) }
  }

  const makeLog = async (): Promise<LogUnderTest> => {
    network ??= startNetwork()
    const { proxy, client } = await network
    const db = client.db(`${DATABASES}${index}_${randomBytes(4).toString('hex')}`)
    const keys = ephemeralKeys()
    logs += 1
    proxy.chaos({ ...CHAOS, seed: seed + logs })
    return {
      open: async () => new PatientStore(await patiently(() => MongoEventStore.open(db, { keys }))),
      async remove() {
        proxy.calm()
        await db.dropDatabase()
      },
    }
  }

  describe(`on the ${path}, with ${driver} (SEED=${seed})`, () => {
    after(async () => {
      const started = await network
      await started?.client.close()
      await started?.proxy.stop()
    })

    eventStoreContract('MongoDB behind a faulty network', makeLog, {
      kept: true,
      shared: true,
      dense: false,
      asksAgain: true,
      propertyRuns: 10,
    })

    describe('the faulty network', () => {
      it('has lost many a request and many an answer meanwhile', async () => {
        const cuts = (await network)?.proxy.cuts ?? 0
        assert.ok(cuts > 50, `only ${cuts} were lost: this showed nothing`)
      })
    })
  })
}

/**
 * Whether the lease of a consumer or a row of work was taken, given back or finished cannot be told once the answer is
 * lost, and asking again answers otherwise than the first time would have. How much a take-over freed is forgotten with
 * any command of it, also of one that another's cut connection takes along. The log itself has no such calls.
 */
function mayCut(request: Document): 'any time' | 'before' | 'never' {
  const { find, update, delete: removal, findAndModify } = request
  if ([find, update, removal].includes('workers') || isTakeOver(request)) return 'never'
  return [update, removal, findAndModify].some((name) => name !== undefined && name !== 'counters')
    ? 'before'
    : 'any time'
}

/** Frees what a holder had, whichever rows those are. */
function isTakeOver({ updates }: Document): boolean {
  const [first] = (updates ?? []) as { q: Document }[]
  return first?.q['holder'] !== undefined && first.q['_id'] === undefined
}
