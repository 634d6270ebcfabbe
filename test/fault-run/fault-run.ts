import { setTimeout as sleep } from 'node:timers/promises'
import type { EventStore } from '../../lib/index.ts'
import { behind } from '../../lib/log/behind.ts'
import { PLANNER } from '../../plugins/back-channel-logout/delivery/planner.ts'
import type { Receipt } from '../../plugins/back-channel-logout/index.ts'
import { plannedUpTo } from '../../plugins/back-channel-logout/receipts/planned.ts'
import { assertInvariants, wholeLog } from '../contract/event-store/invariants.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { Disturbances } from './disturbances.ts'
import { type Figures, figuresOf } from './figures.ts'
import { dataKeysOf, Logged } from './logged.ts'
import type { OpFleet } from './op-fleet.ts'
import { People, type Visit } from './people.ts'
import { onStage, type Stage } from './stage.ts'
import { violationsOf } from './verdict.ts'

export interface FaultRunOptions {
  readonly logouts: number
  readonly processes: number
  readonly seed: number
  /** How long it is from one kill or stop to the next, on average, in milliseconds. */
  readonly everyMs: number
  /** So many people are at it at a time. */
  readonly people: number
  /** Called with what goes on. */
  readonly tell: (line: string) => void
}

export interface FaultRunReport {
  readonly figures: Figures
  /** None of them: everybody was told. */
  readonly violations: readonly string[]
}

/** When nothing disturbs any more, everything is settled within so long, in milliseconds. */
const SETTLED_WITHIN_MS = 240_000

/**
 * Processes of one OP on one MongoDB, people who log in and out, RPs of which a third is unwell; and meanwhile processes
 * are killed and stopped, and the database is killed once. At the end the log, the RPs, the receipts and the people are
 * heard, and have to agree.
 */
export function faultRun(options: FaultRunOptions): Promise<FaultRunReport> {
  return onStage(options, (stage) => run(options, stage))
}

async function run(options: FaultRunOptions, stage: Stage): Promise<FaultRunReport> {
  const { rps, store, server, fleet, issuer } = stage
  const { seed, everyMs, tell } = options
  const began = performance.now()
  const people = new People({ issuer, fleet, rps: rps.all, seed })
  const disturbances = new Disturbances(fleet, server, { random: seededRandom(seed), everyMs })
  const visits = await visit(people, disturbances, options)
  await disturbances.end()
  const visited = performance.now()
  tell('no more kills; waiting until every delivery is settled')
  const open = await settled(store, tell)
  const commits = await wholeLog(store)
  assertInvariants(commits, { dense: false })
  const logged = new Logged(commits, store.keys, await dataKeysOf(store))
  const receipts = await receiptsOf(fleet, new Set(logged.ends.map(({ uid }) => uid)))
  const evidence = { visits, logged, received: rps.received, receipts }
  const { kills, stops, longStops, databaseRestarts } = disturbances.done
  await fleet.stop()
  return {
    figures: {
      seed,
      processes: options.processes,
      'processes killed (SIGKILL) and started again': kills,
      'processes stopped (SIGSTOP) and continued': stops,
      '  for longer than their leases': longStops,
      'database killed (SIGKILL) and started again': databaseRestarts,
      ...figuresOf(evidence),
      'steps that people repeated': [...people.repeated.values()].reduce((sum, times) => sum + times, 0),
      ...Object.fromEntries([...people.repeated].map(([trouble, times]) => [`  ${trouble}`, times])),
      'commits in the log': commits.length,
      'duration, with people': `${Math.round((visited - began) / 1000)} s`,
      'duration, until all was settled': `${Math.round((performance.now() - visited) / 1000)} s`,
    },
    violations: [
      ...(open === undefined ? [] : [`not settled after ${SETTLED_WITHIN_MS / 1000} s: ${open}`]),
      ...violationsOf(evidence),
      ...rps.refused.map((refused) => `a bad token: ${refused}`),
      ...people.gaveUp.map((who) => `gave up: ${who}`),
      ...unforeseen(fleet),
    ],
  }
}

/** People come until enough have logged out and a process was killed; in the middle of it the database is killed. */
async function visit(
  people: People,
  disturbances: Disturbances,
  { logouts, people: atATime, tell }: FaultRunOptions,
): Promise<Visit[]> {
  const visits: Visit[] = []
  let number = 0
  let acknowledged = 0
  let restarting: Promise<void> | undefined
  const come = async (): Promise<void> => {
    while (acknowledged < logouts || disturbances.done.kills === 0) {
      const visited = await people.visit(number++)
      visits.push(visited)
      if (!visited.acknowledged) continue
      acknowledged += 1
      if (acknowledged >= logouts / 2) restarting ??= disturbances.restartDatabase()
      if (acknowledged % 100 === 0) tell(`${acknowledged} logouts; ${JSON.stringify(disturbances.done)}`)
    }
  }
  await Promise.all(Array.from({ length: atATime }, come))
  await restarting
  return visits
}

/** How often it is looked whether all is settled, in milliseconds: nothing else tells, since other processes settle it. */
const LOOK_MS = 500

/** Waits until everything is planned and nothing is left to do. Returns what is left when that has taken too long. */
export async function settled(store: EventStore, tell: (line: string) => void): Promise<string | undefined> {
  const until = performance.now() + SETTLED_WITHIN_MS
  for (let looks = 1; ; looks++) {
    const isOver = performance.now() > until
    const left = await leftToDo(store)
    if (left === undefined || isOver) return left
    if (looks % 20 === 0) tell(left)
    await sleep(LOOK_MS)
  }
}

/** What is neither planned nor done, in whose hands it is, and who lives. Undefined: there is nothing. */
async function leftToDo(store: EventStore): Promise<string | undefined> {
  const end = await store.end()
  const planned = await plannedUpTo(store)
  const unplanned = await behind(store, planned, end)
  const open = await store.work('deliveries').countOpen()
  if (open === 0 && unplanned === 0) return undefined
  const planner = await store.consumers.get(PLANNER)
  const some = await store.work('deliveries').open({ limit: 100 })
  const { signs } = await store.liveness.beat([])
  return [
    ...(unplanned > 0 ? [`planned to ${planned} of ${end}, by ${planner?.holder ?? 'nobody'}`] : []),
    ...(open > 0 ? [`${open} deliveries are open`] : []),
    ...some.map(({ id, lane, holder = 'nobody', dueAt }) => `${id} of ${lane}, with ${holder}, due at ${dueAt}`),
    `alive are ${signs.map(({ holder, beat }) => `${holder} (${beat})`).join(', ')}`,
  ].join('; ')
}

export async function receiptsOf(fleet: OpFleet, uids: ReadonlySet<string>): Promise<Receipt[]> {
  const receipts: Receipt[] = []
  const left = [...uids]
  while (left.length > 0) receipts.push(...(await fleet.receipts(left.splice(0, 100))))
  return receipts
}

/** Errors that a database which goes away explains. */
const EXPLAINED: ReadonlySet<string | undefined> = new Set(['STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN'])

function unforeseen({ complaints }: OpFleet): string[] {
  return complaints
    .filter(({ code }) => !EXPLAINED.has(code))
    .map(({ message, code, stack }) => `a process met an error: ${message}: ${code ?? ''} ${stack}`)
}
