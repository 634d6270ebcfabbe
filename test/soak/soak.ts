import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys, systemClock, verifyLog } from '../../lib/index.ts'
import { assertInvariants, wholeLog } from '../contract/event-store/invariants.ts'
import { DELIVERY, receiptsOf, settled } from '../fault-run/fault-run.ts'
import { type Figures, figuresOf } from '../fault-run/figures.ts'
import { dataKeysOf, Logged } from '../fault-run/logged.ts'
import { OpFleet } from '../fault-run/op-fleet.ts'
import { People, type Visit } from '../fault-run/people.ts'
import { ToldRps } from '../fault-run/told-rps.ts'
import { violationsOf } from '../fault-run/verdict.ts'
import { Front } from '../support/front.ts'
import { startServer } from '../support/mongo-server.ts'
import { testSigningKey } from '../support/op.ts'
import { Holdings } from './holdings.ts'

export interface SoakOptions {
  readonly minutes: number
  readonly processes: number
  /** So many people are at it at a time. */
  readonly people: number
  readonly seed: number
  /** How often the processes are looked at, in milliseconds. */
  readonly lookMs: number
  /** Called with what goes on. */
  readonly tell: (line: string) => void
}

export interface SoakReport {
  readonly figures: Figures
  readonly violations: readonly string[]
}

/**
 * Processes of one OP on one MongoDB that nothing disturbs, and people who log in and out without a pause, at RPs of which
 * a third is unwell. At the end nobody was turned away, everybody was told, the log is whole, nothing is left to do, and
 * the processes hold no more than when they were warm.
 */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { minutes, processes, people: atATime, seed, lookMs, tell } = options
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
    const people = new People({ issuer, fleet, rps: rps.all, seed })
    const holdings = new Holdings(processes)
    const until = performance.now() + minutes * 60_000
    const visits: Visit[] = []
    let number = 0
    const come = async (): Promise<void> => {
      while (performance.now() < until) visits.push(await people.visit(number++))
    }
    const looking = (async () => {
      while (performance.now() < until) {
        await sleep(Math.min(lookMs, Math.max(0, until - performance.now())))
        holdings.see(await fleet.memory())
        tell(`${visits.length} people; ${holdings.now}`)
      }
    })()
    await Promise.all([looking, ...Array.from({ length: atATime }, come)])
    tell('nobody comes any more; waiting until every delivery is settled')
    const open = await settled(store, tell)
    const commits = await wholeLog(store)
    assertInvariants(commits, { dense: false })
    const logged = new Logged(commits, store.keys, await dataKeysOf(store))
    const receipts = await receiptsOf(fleet, new Set(logged.ends.map(({ uid }) => uid)))
    const verified = await verifyLog({ store, clock: systemClock }, { deep: true })
    const evidence = { visits, logged, received: rps.received, receipts }
    return {
      figures: {
        seed,
        processes,
        people: visits.length,
        ...figuresOf(evidence),
        'commits in the log': commits.length,
        ...holdings.figures,
      },
      violations: [
        ...(open > 0 ? [`${open} deliveries are still open`] : []),
        ...violationsOf(evidence),
        ...rps.refused.map((refused) => `a bad token: ${refused}`),
        ...people.gaveUp.map((who) => `gave up: ${who}`),
        ...[...people.repeated].map(([trouble, times]) => `${times} times somebody had to try again: ${trouble}`),
        ...fleet.complaints.map(
          ({ message, code, stack }) => `a process met an error: ${message}: ${code ?? ''} ${stack}`,
        ),
        ...(verified.faults > 0 ? [`verify finds ${JSON.stringify(verified.byCode)}`] : []),
        ...holdings.violations,
      ],
    }
  } finally {
    await fleet.stop()
    await front.stop()
    await rps.stop()
    await store.close()
    await client.close()
    await server.stop()
  }
}
