// An OP in a process of its own, for tests that kill it: what it is comes as JSON in its first argument; what it is
// asked comes by IPC. It never outlives whoever started it.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { ClientMetadata } from 'oidc-provider'
import { type Logger, silent } from '../../lib/index.ts'
import {
  backChannelLogout,
  type DeliveryOptions,
  type Receipt,
  type TerminationReport,
} from '../../plugins/back-channel-logout/index.ts'
import { guardedNetwork } from '../../plugins/back-channel-logout/network/network.ts'
import { wholeLog } from '../contract/event-store/invariants.ts'
import { type KillPoint, MortalNetwork, mortalStore } from './kill-point.ts'
import { leaks } from './leak-check.ts'
import { startOp } from './op.ts'
import { quickClock } from './quick-clock.ts'
import { openPlace, type Place } from './store-place.ts'

/** What it is. */
export interface OpSetup {
  readonly place: Place
  readonly issuer: string
  readonly clients: readonly ClientMetadata[]
  /** All processes of an OP have the same keys. */
  readonly jwks: { readonly keys: readonly object[] }
  /** How many times sooner leases run out. */
  readonly quicker: number
  /** How deliveries are tried. Default: the plugin's. */
  readonly delivery?: DeliveryOptions
  /** It tells whoever started it of each span. */
  readonly traced?: boolean
}

/** An error that it met and told its logger of, or its provider's listeners. */
export interface Complaint {
  readonly message: string
  readonly code?: string
  readonly stack: string
}

/** What a process holds of the machine. */
export interface Held {
  readonly heapUsed: number
  readonly rss: number
  /** Sockets, timers and the like. */
  readonly resources: number
}

/** Which sessions an operator ends: that of a browser, by its cookie; all of an account. */
export type TerminationWish = { readonly cookie: string } | { readonly accountId: string }

/** What it can be asked. */
export type Question =
  /** Die at this point; at none: live. */
  | { readonly arm: KillPoint | null }
  /** Die if a request to this URI is under way. */
  | { readonly dieIfPosting: string }
  /** The receipt of a session's logout, once no delivery is left to do. */
  | { readonly receipt: string }
  /** The receipts of these sessions, as they stand. */
  | { readonly receipts: readonly string[] }
  /** End sessions as an operator. */
  | { readonly terminate: TerminationWish }
  /** The position that its log has reached. */
  | { readonly end: true }
  /** All of it. */
  | { readonly log: true }
  /** What it holds of the machine, once its garbage was collected. */
  | { readonly memory: true }
  /** Meet a rejected promise that nobody handles. */
  | { readonly rejectUnhandled: true }

// Secrets are known to who started it: that looks at the lines.
leaks.line = (line) => process.send?.({ line })
process.on('disconnect', () => process.exit(1))
if (!process.connected) process.exit(1)

const setup = JSON.parse(process.argv[2] ?? '') as OpSetup
let armed: KillPoint | undefined
const { store } = await openPlace(setup.place)
mortalStore(store, () => armed)
const network = new MortalNetwork(guardedNetwork({ timeoutMs: 10_000 }), () => armed)
const logout = backChannelLogout({
  development: true,
  allowInternal: setup.clients.map(({ client_id }) => client_id),
  network,
  ...(setup.delivery && { delivery: setup.delivery }),
})
const logger: Logger = {
  ...silent,
  error: (fields, message) => complain(message, (fields as { readonly err?: unknown }).err),
}
const tracing = setup.traced ? (await import('./tracing.ts')).tracing((span) => process.send?.({ span })) : {}
const op = await startOp(store, {
  ...tracing,
  plugins: [logout],
  clients: setup.clients,
  issuer: setup.issuer,
  clock: quickClock(setup.quicker),
  logger,
  configuration: { jwks: setup.jwks as never },
})
op.provider.on('server_error', (_ctx, error) => complain('server_error', error))
// A connection that was kept would lead the next request to a process that is dead by then.
op.provider.use((ctx, next) => {
  ctx.set('Connection', 'close')
  return next()
})

process.on('message', (message: { readonly id: number; readonly question: Question }) => {
  const { id, question } = message
  void answer(question).then(
    (answer) => process.send?.({ id, answer }),
    (error: unknown) => process.send?.({ id, failed: String(error) }),
  )
})
process.send?.({ port: op.port })

async function answer(question: Question): Promise<unknown> {
  if ('receipt' in question) return settled(question.receipt)
  if ('receipts' in question) return Promise.all(question.receipts.map((uid) => logout.receipt(uid)))
  if ('terminate' in question) return terminate(question.terminate)
  if ('end' in question) return store.end()
  if ('log' in question) return wholeLog(store)
  if ('memory' in question) return held()
  if ('rejectUnhandled' in question) void Promise.reject(new Error('nobody handles this'))
  else if ('arm' in question) armed = question.arm ?? undefined
  else network.dieIfPosting(question.dieIfPosting)
  return null
}

function held(): Held {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, rss } = process.memoryUsage()
  return { heapUsed, rss, resources: process.getActiveResourcesInfo().length }
}

/** Nothing but looking tells when another process's work, too, is done. */
async function settled(uid: string): Promise<Receipt> {
  for (;;) {
    const receipt = await logout.receipt(uid)
    const open = await store.work('deliveries').countOpen()
    if (receipt.ends.length > 0 && receipt.settled && open === 0) return receipt
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function terminate(wish: TerminationWish): Promise<TerminationReport> {
  const actor = { actor: 'an operator' }
  if ('accountId' in wish) return logout.terminateAccount(wish.accountId, actor)
  const session = await op.provider.Session.find(wish.cookie)
  if (!session) return { sessions: 0, logins: 0, grants: 0, failed: 0 }
  return logout.terminateSession(session.uid, actor)
}

function complain(message: string, error: unknown): void {
  if (!(error instanceof Error)) return // a dead letter, say: nothing went wrong in this process
  const { code, stack = String(error) } = error as { readonly code?: string; readonly stack?: string }
  const complaint: Complaint = { message, ...(code !== undefined && { code }), stack }
  process.send?.({ complaint })
}
