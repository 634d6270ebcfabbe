// An OP in a process of its own for the scale run: what it is comes as JSON in its first argument; what it is to do, and
// what it tells, goes by IPC.
import type { ClientMetadata } from 'oidc-provider'
import { type EventStore, KeyRing, type Keys, type Logger, silent, type Work } from '../../lib/index.ts'
import { backChannelLogout, type TerminationProgress } from '../../plugins/back-channel-logout/index.ts'
import { startOp } from '../support/op.ts'
import { openPlace, type Place } from '../support/store-place.ts'
import { makeSessions } from './make-sessions.ts'
import { remoteStore, type StoreCall, type StoreReply } from './remote-store.ts'
import { type Tallied, tallyOf } from './tally.ts'

export interface ScaleSetup {
  /** `elsewhere`: with whoever started it. */
  readonly place: Place | { readonly kind: 'elsewhere'; readonly keys: Keys }
  readonly issuer: string
  readonly clients: readonly ClientMetadata[]
  readonly jwks: { readonly keys: readonly object[] }
}

/** What it can be asked; each question gets one answer. */
export type Question =
  /** Make so many sessions, with a login at each client. */
  | { readonly make: number }
  /** End all of them. Answers when that is done. */
  | { readonly terminateAll: true }
  /** Answers when the order that somebody gave is carried out. */
  | { readonly awaitTermination: true }
  /** What the log says has ended. */
  | { readonly tally: true }
  /** How many deliveries are open, by client id. */
  | { readonly open: true }
  /** What memory it uses, after its garbage was collected, and what CPU it has used. */
  | { readonly usage: true }

/** What it tells without being asked. */
export type News =
  | { readonly made: number }
  | { readonly progress: TerminationProgress }
  | { readonly memory: Memory }
  | { readonly circuitOpened: string }
  | { readonly trouble: string }

/** In bytes, and milliseconds. */
export interface Usage extends Memory {
  readonly cpuMs: number
}

export interface Memory {
  readonly heapUsed: number
  readonly rss: number
}

/** How a termination ended. */
export interface Terminated {
  readonly sessions: number
  readonly logins: number
  readonly grants: number
  readonly failed: number
}

const SAMPLE_MS = 2_000

process.on('disconnect', () => process.exit(1))
if (!process.connected) process.exit(1)

const setup = JSON.parse(process.argv[2] ?? '') as ScaleSetup
const store = await openStore(setup.place)
const logout = backChannelLogout({ development: true, allowInternal: setup.clients.map(({ client_id }) => client_id) })
const logger: Logger = {
  ...silent,
  warn(fields, message) {
    const { rp } = fields as { readonly rp?: string }
    if (rp !== undefined && message.startsWith('an RP fails')) tell({ circuitOpened: rp })
  },
  error: (fields, message) => tell({ trouble: `${message} ${String((fields as { readonly err?: unknown }).err)}` }),
}
const op = await startOp(store, {
  plugins: [logout],
  clients: setup.clients,
  issuer: setup.issuer,
  logger,
  configuration: { jwks: setup.jwks as never },
})
// What is garbage does not count.
const collect = (globalThis as { readonly gc?: () => void }).gc
setInterval(() => tell({ memory: memory() }), SAMPLE_MS)

process.on('message', ({ id, question }: { readonly id: number; readonly question?: Question }) => {
  if (!question) return
  void answer(question).then(
    (answer) => process.send?.({ id, answer }),
    (error: unknown) => process.send?.({ id, failed: String(error) }),
  )
})
process.send?.({ ready: true })

async function answer(question: Question): Promise<unknown> {
  if ('make' in question) return makeSessions(op.provider, setup.clients, question.make, (made) => tell({ made }))
  if ('terminateAll' in question)
    return logout.terminateAll({ actor: 'an operator', onProgress: (progress) => tell({ progress }) })
  if ('awaitTermination' in question) return terminated()
  if ('tally' in question) return tally()
  if ('usage' in question) return usage()
  return open()
}

async function terminated(): Promise<Terminated> {
  for (;;) {
    for await (const { state, sessions, logins, grants, failed } of logout.terminations()) {
      if (state === 'completed') return { sessions, logins, grants, failed }
      tell({ progress: { sessions, logins, grants } })
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  }
}

function memory(): Memory {
  collect?.()
  const { heapUsed, rss } = process.memoryUsage()
  return { heapUsed, rss }
}

function usage(): Usage {
  const { user, system } = process.cpuUsage()
  return { ...memory(), cpuMs: (user + system) / 1_000 }
}

function tally(): Promise<Tallied> {
  return tallyOf(store)
}

async function open(): Promise<Record<string, number>> {
  // By id: what is tried meanwhile may be on two pages.
  const lanes = new Map<string, string>()
  for (let after: Work | undefined; ; ) {
    const rows = await store.work('deliveries').open({ limit: 1_000, ...(after && { after }) })
    for (const { id, lane } of rows) lanes.set(id, lane)
    after = rows.at(-1)
    if (!after) break
  }
  const counts: Record<string, number> = {}
  for (const lane of lanes.values()) {
    const client = lane.slice(lane.lastIndexOf(' ') + 1)
    counts[client] = (counts[client] ?? 0) + 1
  }
  return counts
}

async function openStore(place: ScaleSetup['place']): Promise<EventStore> {
  if (place.kind !== 'elsewhere') return (await openPlace(place)).store
  const waiting = new Map<number, (reply: StoreReply) => void>()
  let calls = 0
  process.on('message', ({ called, reply }: { readonly called?: number; readonly reply: StoreReply }) => {
    if (called === undefined) return
    waiting.get(called)?.(reply)
    waiting.delete(called)
  })
  return remoteStore(new KeyRing(place.keys), (call: StoreCall) => {
    calls += 1
    const calling = calls
    process.send?.({ calling, call })
    return new Promise((resolve) => waiting.set(calling, resolve))
  })
}

function tell(news: News): void {
  process.send?.({ news })
}
