import { setTimeout as sleep } from 'node:timers/promises'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { EventStore } from '../../lib/index.ts'
import { ephemeralKeys } from '../../lib/secrets/key-ring.ts'
import { portOutsideEphemeralRange } from '../support/free-port.ts'
import { startServer } from '../support/mongo-server.ts'
import { newPlace } from '../support/store-place.ts'
import { type CountingRp, startCountingRp } from './counting-rps.ts'
import { MemoryWatch } from './memory-watch.ts'
import { ScaleProcess } from './scale-process.ts'
import type { News, ScaleSetup, Terminated } from './scale-program.ts'
import type { Tallied } from './tally.ts'

export interface ScaleRunOptions {
  readonly sessions: number
  /** `memory`: in the process that drives the run, so that those of the OP reach it as they would a database. */
  readonly store: 'mongodb' | 'file' | 'memory'
  /** Of the logout tokens. */
  readonly alg: 'RS256' | 'ES256'
  /** Whether the process that ends the sessions is killed in the middle, and another one goes on. */
  readonly kill: boolean
  readonly tell: (line: string) => void
}

export interface ScaleRunReport {
  readonly figures: Readonly<Record<string, number | string>>
  readonly violations: readonly string[]
}

const HANGING = 'rp-hanging'

/** Ends so many sessions, each with a login at two RPs that are well and at one that hangs, by one call. */
export async function scaleRun(options: ScaleRunOptions): Promise<ScaleRunReport> {
  const [{ place, store, drop }, key] = await Promise.all([placeFor(options.store), signingKey(options.alg)])
  const well = await Promise.all(['rp-one', 'rp-two'].map((id) => startCountingRp(id, { hangs: false, ...options })))
  const hanging = await startCountingRp(HANGING, { hangs: true, ...options })
  const setup: ScaleSetup = {
    place,
    issuer: `http://127.0.0.1:${await portOutsideEphemeralRange()}`,
    clients: [...well, hanging].map(({ metadata }) => metadata),
    jwks: { keys: [key] },
  }
  const run = new Run(options, setup, { well, hanging, store })
  try {
    return await run.play()
  } finally {
    await run.stop()
    await Promise.all([...well, hanging].map((rp) => rp.stop()))
    await drop()
  }
}

interface Around {
  readonly well: readonly CountingRp[]
  readonly hanging: CountingRp
  /** The store that the OP's processes reach here. */
  readonly store: EventStore | undefined
}

class Run {
  readonly #options: ScaleRunOptions
  readonly #setup: ScaleSetup
  readonly #well: readonly CountingRp[]
  readonly #hanging: CountingRp
  readonly #store: EventStore | undefined
  readonly #memory: MemoryWatch[] = []
  #process: ScaleProcess | undefined
  #progressed: ((sessions: number) => void) | undefined
  #told = 0
  #circuit: { readonly at: number; readonly tokens: number } | undefined
  readonly #troubles: string[] = []

  constructor(options: ScaleRunOptions, setup: ScaleSetup, { well, hanging, store }: Around) {
    this.#options = options
    this.#setup = setup
    this.#well = well
    this.#hanging = hanging
    this.#store = store
  }

  async play(): Promise<ScaleRunReport> {
    const { sessions, store, tell } = this.#options
    const began = performance.now()
    await (await this.#start()).make(sessions)
    const made = performance.now()
    tell(`${sessions} sessions with 3 RPs each are made, in ${seconds(made - began)}`)
    // A process whose memory knows nothing of how they were made.
    await this.#start()
    const ordered = performance.now()
    const terminated = this.#end()
    const told = this.#toldWell()
    const report = await terminated
    const ended = performance.now()
    tell(`all sessions have ended, in ${seconds(ended - ordered)}: ${JSON.stringify(report)}`)
    await told
    const toldAll = performance.now()
    const atHanging = this.#hanging.tokens
    tell(`the RPs that are well know of all, ${seconds(toldAll - ended)} later`)
    await this.#settledWell()
    const memory = this.#memory.map((watch) => watch.end())
    const open = (await this.#process?.open()) ?? {}
    tell('counting what the log says')
    const tally = await this.#process?.tally()
    return {
      figures: {
        sessions,
        store,
        'logout tokens signed with': this.#options.alg,
        'sessions made': perSecond(sessions, made - began),
        'sessions ended': perSecond(sessions, ended - ordered),
        'from the call until all sessions had ended': seconds(ended - ordered),
        'from the call until both RPs that are well knew of all': seconds(toldAll - ordered),
        'logout tokens taken': perSecond(2 * sessions, toldAll - ordered),
        'progress was told, times': this.#told,
        'the circuit of the RP that hangs opened after': this.#circuit ? seconds(this.#circuit.at - ordered) : 'never',
        '  attempts to it until then': this.#circuit?.tokens ?? 0,
        '  attempts to it until all others were told': atHanging,
        '  deliveries to it that wait on': open[HANGING] ?? 0,
        ...Object.assign({}, ...memory.map(({ figures }) => figures)),
        'commits in the log': tally?.commits ?? 0,
      },
      violations: [
        ...this.#countProblems(report, tally),
        ...memory.flatMap(({ problems }) => (store === 'file' ? [] : problems)),
        ...this.#troubles.map((trouble) => `a process met an error: ${trouble}`),
      ],
    }
  }

  async stop(): Promise<void> {
    await this.#process?.kill()
  }

  /** A new process, after the one before is gone. */
  async #start(): Promise<ScaleProcess> {
    await this.#process?.kill()
    const watch = new MemoryWatch(`process ${this.#memory.length + 1}`, this.#options.sessions)
    this.#memory.push(watch)
    const started = await ScaleProcess.start(this.#setup, (news) => this.#hear(news, watch), this.#store)
    this.#process = started
    return started
  }

  async #end(): Promise<Terminated> {
    const { sessions, kill, tell } = this.#options
    const process = this.#process
    if (!process) throw new Error('no process is there')
    if (!kill) return process.terminateAll()
    const middle = new Promise<number>((resolve) => {
      this.#progressed = (ended) => {
        if (ended >= 0.4 * sessions) resolve(ended)
      }
    })
    const unfinished = process.terminateAll().then(
      () => true,
      () => false,
    )
    if (await Promise.race([unfinished, middle.then(() => false)])) throw new Error('it was over before it was killed')
    tell('the process is killed; another one goes on')
    return (await this.#start()).awaitTermination()
  }

  async #toldWell(): Promise<void> {
    await Promise.all(this.#well.map((rp) => rp.told(this.#options.sessions)))
  }

  /** Until what they confirmed is recorded. */
  async #settledWell(): Promise<void> {
    const names = this.#well.map(({ metadata }) => metadata.client_id)
    for (;;) {
      const open = (await this.#process?.open()) ?? {}
      if (names.every((name) => !open[name])) return
      await sleep(500)
    }
  }

  #hear(news: News, watch: MemoryWatch): void {
    if ('memory' in news) watch.see(news.memory)
    else if ('trouble' in news) this.#troubles.push(news.trouble)
    else if ('circuitOpened' in news) this.#circuitOpened(news.circuitOpened)
    else if ('progress' in news) this.#progress(news.progress.sessions, watch)
    else if (news.made % 10_000 === 0) this.#options.tell(`${news.made} made`)
  }

  #circuitOpened(origin: string): void {
    const { backchannel_logout_uri: uri } = this.#hanging.metadata
    if (String(uri).startsWith(origin)) this.#circuit ??= { at: performance.now(), tokens: this.#hanging.tokens }
  }

  #progress(ended: number, watch: MemoryWatch): void {
    const { sessions, tell } = this.#options
    if (Math.floor((10 * ended) / sessions) > Math.floor((10 * watch.ended) / sessions))
      tell(`${ended} of ${sessions} ended; the RPs know of ${this.#known()}; ${watch.now}`)
    watch.ended = ended
    this.#told += 1
    this.#progressed?.(ended)
  }

  #known(): string {
    return [...this.#well, this.#hanging].map(({ metadata, logins }) => `${metadata.client_id} ${logins}`).join(', ')
  }

  #countProblems(report: Terminated, tally: Tallied | undefined): string[] {
    const { sessions } = this.#options
    const wanted: Record<string, readonly [number | undefined, number]> = {
      'sessions by the report': [report.sessions, sessions],
      'logins by the report': [report.logins, 3 * sessions],
      'grants by the report': [report.grants, 3 * sessions],
      'failed by the report': [report.failed, 0],
      'ends in the log': [tally?.ends, sessions],
      'sessions that have ended in the log': [tally?.sessions, sessions],
      'sessions that are gone in the log': [tally?.sessionsDestroyed, sessions],
      'grants that are gone in the log': [tally?.grantsDestroyed, 3 * sessions],
      'confirmations in the log': [tally?.sent, 2 * sessions],
      'deliveries confirmed in the log': [tally?.sentDeliveries, 2 * sessions],
      ...Object.fromEntries(
        this.#well.map(({ metadata, logins }) => [`logins that ${metadata.client_id} was told of`, [logins, sessions]]),
      ),
    }
    return Object.entries(wanted).flatMap(([what, [is, should]]) =>
      is === should ? [] : [`${what}: ${is}, should be ${should}`],
    )
  }
}

interface StorePlace {
  readonly place: ScaleSetup['place']
  readonly store?: EventStore
  drop(): Promise<void>
}

async function placeFor(kind: ScaleRunOptions['store']): Promise<StorePlace> {
  if (kind === 'file') return newPlace('file')
  const keys = ephemeralKeys()
  if (kind === 'memory') {
    const store = new MemoryEventStore({ keys })
    return { place: { kind: 'elsewhere', keys }, store, drop: () => store.close() }
  }
  const server = await startServer({ durable: true })
  return { place: { kind: 'mongodb', uri: server.uri, name: 'op', keys }, drop: () => server.stop() }
}

async function signingKey(alg: ScaleRunOptions['alg']): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  return { ...(await exportJWK(privateKey)), kid: 'scale', use: 'sig', alg }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function perSecond(count: number, ms: number): string {
  return `${Math.round((count * 1000) / ms)} per second`
}
