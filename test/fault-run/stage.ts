import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import type { EventStore } from '../../lib/index.ts'
import { ephemeralKeys } from '../../lib/secrets/key-ring.ts'
import type { DeliveryOptions } from '../../plugins/back-channel-logout/index.ts'
import { Front } from '../support/front.ts'
import { type MongoServer, startServer } from '../support/mongo-server.ts'
import { testSigningKey } from '../support/op.ts'
import { OpFleet } from './op-fleet.ts'
import { ToldRps } from './told-rps.ts'

/** What a run is played on: processes of one OP on one MongoDB, behind one address, and RPs. */
export interface Stage {
  readonly issuer: string
  readonly rps: ToldRps
  readonly store: EventStore
  readonly server: MongoServer
  readonly fleet: OpFleet
}

/**
 * Dead letters within seconds, so that a run ends; and an RP that hangs costs less than its 10 s. What the leases and the
 * signs of life of processes take is as it is deployed.
 */
const DELIVERY: DeliveryOptions = {
  retryDelaysMs: [250, 500, 1_000, 2_000, 3_000, 4_000],
  timeoutMs: 3_000,
  maxRetryAfterMs: 2_000,
  badRequestDelaysMs: [500, 500],
  circuit: { failures: 5, minOpenMs: 50, maxOpenMs: 400 },
  clients: {
    'rp-7': { retryDelaysMs: [200, 400, 800], circuit: { failures: 5, minOpenMs: 20, maxOpenMs: 40 } },
    'rp-8': { retryDelaysMs: [200, 400], timeoutMs: 400, circuit: { failures: 5, minOpenMs: 20, maxOpenMs: 40 } },
  },
}

/** Sets it up, and takes it down whatever comes of the work. */
export async function onStage<T>(
  { processes, tell }: { readonly processes: number; readonly tell: (line: string) => void },
  work: (stage: Stage) => Promise<T>,
): Promise<T> {
  const keys = ephemeralKeys()
  const [server, front, key] = await Promise.all([startServer({ durable: true }), Front.start(), testSigningKey()])
  const issuer = `http://127.0.0.1:${front.port}`
  const rps = await ToldRps.start(issuer, key)
  const client = new MongoClient(server.uri)
  const store = await MongoEventStore.open(client.db('op'), { keys })
  const place = { kind: 'mongodb', uri: server.uri, name: 'op', keys } as const
  const clients = rps.all.map(({ metadata }) => metadata)
  const setup = { place, issuer, clients, jwks: { keys: [key] }, quicker: 1, delivery: DELIVERY }
  tell(`database: ${server.kind}; ${processes} processes are started`)
  const fleet = await OpFleet.start(setup, front, processes)
  try {
    return await work({ issuer, rps, store, server, fleet })
  } finally {
    await fleet.stop()
    await front.stop()
    await rps.stop()
    await store.close()
    await client.close()
    await server.stop()
  }
}
