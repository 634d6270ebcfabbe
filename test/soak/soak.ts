import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock, verifyLog } from '../../lib/index.ts'
import { assertInvariants, wholeLog } from '../contract/event-store/invariants.ts'
import { receiptsOf, settled } from '../fault-run/fault-run.ts'
import { type Figures, figuresOf } from '../fault-run/figures.ts'
import { dataKeysOf, Logged } from '../fault-run/logged.ts'
import { People, type Visit } from '../fault-run/people.ts'
import { onStage, type Stage } from '../fault-run/stage.ts'
import { violationsOf } from '../fault-run/verdict.ts'
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
export function soak(options: SoakOptions): Promise<SoakReport> {
  return onStage(options, (stage) => run(options, stage))
}

async function run(options: SoakOptions, { issuer, rps, store, fleet }: Stage): Promise<SoakReport> {
  const { minutes, processes, people: atATime, seed, lookMs, tell } = options
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
      ...(open === undefined ? [] : [`not settled: ${open}`]),
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
}
