import { setTimeout as sleep } from 'node:timers/promises'
import { exportJWK, generateKeyPair } from 'jose'
import { PLANNER } from '../../../plugins/back-channel-logout/delivery/planner.ts'
import { ScaleProcess } from '../../scale-run/scale-process.ts'
import type { Memory, ScaleSetup } from '../../scale-run/scale-program.ts'
import { portOutsideEphemeralRange } from '../../support/free-port.ts'
import { BenchProcess } from '../bench-process.ts'
import { figure } from '../contest.ts'
import type { Benchmark, Row } from '../report.ts'
import { rpClient } from '../rps/rp-client.ts'
import type { Requests } from '../rps/rp-process.ts'
import { type BenchLog, startLogs } from './logs.ts'

const SIZES: readonly number[] = [1_000, 10_000, 100_000]

/** So many RPs each session has logins at. */
const RPS = 3

/** Of the logout tokens: with RS256 most of the time would be signing. */
const ALG = 'ES256'

/** So many sessions are ended before, so that the process has done all of it once. */
const WARM_UP = 100

/** All sessions end by one call, and three RPs of each are told. */
export const signOutEverywhere: Benchmark = {
  name: 'sign-out-everywhere',
  title: 'Sessions ended a second, to 1,000 of them',
  async run({ quick }): Promise<Row[]> {
    const logs = await startLogs(quick ? SIZES.slice(0, 2) : SIZES)
    const rps = await BenchProcess.start('../rps/rp-process.ts', import.meta.url)
    const rows: Row[] = []
    try {
      for (const { name, sizes, open } of logs.kinds) {
        const results: SignOut[] = []
        for (const size of sizes) results.push(await measure(size, await open(), rps))
        rows.push(...results.map((result) => rowOf(result, results[0] as SignOut, name)))
      }
    } finally {
      rps.kill()
      await logs.stop()
    }
    return rows
  },
}

/** What came of one call. Times are from the call, in milliseconds; memory is what was more at most, in bytes. */
interface SignOut {
  readonly sessions: number
  readonly firstToldMs: number
  readonly endedMs: number
  readonly toldMs: number
  readonly cpuMs: number
  readonly heapGrowth: number
  readonly rssGrowth: number
}

/** The process that ends the sessions plans before, but has not made them. */
async function measure(sessions: number, log: BenchLog, rps: BenchProcess): Promise<SignOut> {
  const setup = await setupOf(log, rps.firstMessage as number)
  const memory: Memory[] = []
  const hear: Parameters<typeof ScaleProcess.start>[1] = (news) => void ('memory' in news && memory.push(news.memory))
  const op = await ScaleProcess.start(setup, hear, log.isHere ? log.store : undefined)
  try {
    await warmUp(op, rps, log)
    await makeSessions(sessions, setup, log)
    await settled(log)
    const before = await op.usage()
    memory.length = 0
    const told = rps.ask<Requests>(sessions * RPS)
    const calledAt = performance.timeOrigin + performance.now()
    const { sessions: ended } = await op.terminateAll()
    const endedMs = performance.timeOrigin + performance.now() - calledAt
    if (ended !== sessions) throw new Error(`${ended} sessions were ended instead of ${sessions}`)
    const { firstAt, lastAt } = await told
    await settled(log)
    const after = await op.usage()
    const most = (of: (memory: Memory) => number): number => Math.max(...[...memory, after].map(of)) - of(before)
    return {
      sessions,
      firstToldMs: firstAt - calledAt,
      endedMs,
      toldMs: lastAt - calledAt,
      cpuMs: after.cpuMs - before.cpuMs,
      heapGrowth: most(({ heapUsed }) => heapUsed),
      rssGrowth: most(({ rss }) => rss),
    }
  } finally {
    await op.kill()
    await log.close()
  }
}

async function setupOf({ place }: BenchLog, rpPort: number): Promise<ScaleSetup> {
  const { privateKey } = await generateKeyPair(ALG, { extractable: true })
  const rp = { port: rpPort, id_token_signed_response_alg: ALG } as const
  return {
    place,
    issuer: `http://127.0.0.1:${await portOutsideEphemeralRange()}`,
    clients: Array.from({ length: RPS }, (_, index) => rpClient(`rp-${index}`, index, rp)),
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'benchmark', use: 'sig', alg: ALG }] },
  }
}

async function warmUp(op: ScaleProcess, rps: BenchProcess, log: BenchLog): Promise<void> {
  await op.make(WARM_UP)
  await settled(log)
  const told = rps.ask<Requests>(WARM_UP * RPS)
  await op.terminateAll()
  await told
  await settled(log)
}

async function makeSessions(sessions: number, setup: ScaleSetup, { isHere, store }: BenchLog): Promise<void> {
  const maker = await ScaleProcess.start(setup, () => {}, isHere ? store : undefined)
  await maker.make(sessions)
  await maker.kill()
}

/** Until all is planned that has happened, and all is done that was planned. */
async function settled({ store }: BenchLog): Promise<void> {
  const end = await store.end()
  while (((await store.consumers.get(PLANNER))?.position ?? 0) < end) await sleep(50)
  while ((await store.work('deliveries').countOpen()) > 0) await sleep(50)
}

function rowOf(result: SignOut, smallest: SignOut, log: string): Row {
  const perSecond = ({ sessions, endedMs }: SignOut): number => (sessions * 1_000) / endedMs
  return {
    name: `${result.sessions.toLocaleString('en')} sessions`,
    where: { log },
    perSecond: figure([perSecond(result)]),
    ratio: figure([perSecond(result) / perSecond(smallest)]),
    cpuMsEach: figure([result.cpuMs / result.sessions]),
    details: {
      'first RP told, s': result.firstToldMs / 1_000,
      'all ended, s': result.endedMs / 1_000,
      'all told, s': result.toldMs / 1_000,
      'heap growth MB': result.heapGrowth / 2 ** 20,
      'RSS growth MB': result.rssGrowth / 2 ** 20,
    },
  }
}
