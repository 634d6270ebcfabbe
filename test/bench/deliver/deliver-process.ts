// A process of an OP that ends sessions and tells RPs, or does only the former: `node deliver-process.ts <setup as JSON>`.
import { MongoClient } from 'mongodb'
import type { ClientMetadata } from 'oidc-provider'
import { MongoEventStore } from '../../../adapters/mongodb/index.ts'
import { silent } from '../../../lib/index.ts'
import { PLANNER } from '../../../plugins/back-channel-logout/delivery/planner.ts'
import { backChannelLogout } from '../../../plugins/back-channel-logout/index.ts'
import { uidOfStream } from '../../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { makeSession, type SavedSession } from '../../scale-run/make-sessions.ts'
import { startOp } from '../../support/op.ts'
import { DeliveryRows } from '../dispatch/delivery-rows.ts'
import { KEYS } from '../keys.ts'

export interface DeliverSetup {
  readonly uri: string
  readonly database: string
  /** `rp-0` and so on. */
  readonly clients: readonly ClientMetadata[]
  /** Whether it plans and sends what it ends. */
  readonly delivers: boolean
}

/** What it can be asked. */
export type DeliverQuestion =
  /** Puts so many deliveries into the work table, due now. */
  | { readonly add: number }
  /** Has it look for due deliveries. */
  | { readonly wake: true }
  /** Makes so many sessions, with logins at three RPs each. Answers when the planner has seen them. */
  | { readonly make: number }
  /**
   * Ends so many of the sessions that were made. So many at a time: one is over when the RPs that answer have confirmed.
   * Without `inFlight` one after the other, and nothing is waited for. Answers with `EndedSession[]`.
   */
  | { readonly end: number; readonly inFlight?: number }
  /** Answers when no delivery is open. */
  | { readonly settle: true }
  /** Answers with the CPU time that it has used, in milliseconds. */
  | { readonly cpu: true }

export interface EndedSession {
  readonly accountId: string
  readonly clientIds: readonly string[]
  /** When the commit that ends it was acknowledged, in milliseconds since 1970. */
  readonly endedAt: number
}

interface LiveSession {
  readonly session: SavedSession
  readonly accountId: string
  readonly clients: readonly ClientMetadata[]
}

const LOGINS = 3

const { uri, database, clients, delivers } = JSON.parse(process.argv[2] ?? '') as DeliverSetup
const issuer = 'http://127.0.0.1:3000'
for (const method of ['info', 'warn'] as const) console[method] = () => {} // oidc-provider on development features
const db = new MongoClient(uri).db(database)
const store = await MongoEventStore.open(db, { keys: KEYS, logger: silent })
const endedAt = new Map<string, number>()
recordEnds()
const logout = backChannelLogout({ development: true, allowInternal: clients.map(({ client_id }) => client_id) })
const { provider } = await startOp(store, { issuer, plugins: [logout], clients })
if (!delivers) await logout.stop() // ends are recorded all the same
const rows = new DeliveryRows(store, db, issuer)
const live: LiveSession[] = []
let made = 0
const confirmations = new Map<string, () => void>()
provider.on('backchannel.success', (_ctx: unknown, client: { readonly clientId: string }, accountId: string) =>
  confirmations.get(`${accountId} ${client.clientId}`)?.(),
)

process.on('message', (question: DeliverQuestion) => void answer(question).then((answer) => process.send?.(answer)))
process.on('disconnect', () => process.exit())
process.send?.('ready')

async function answer(question: DeliverQuestion): Promise<unknown> {
  if ('make' in question) return makeLive(question.make)
  if ('end' in question) return endMany(question.end, question.inFlight)
  if ('add' in question) {
    await rows.add(question.add, clients.length)
    await rows.makeDue()
  } else if ('wake' in question) await logout.retry({ client: 'rp-0' })
  else if ('settle' in question) while ((await store.work('deliveries').countOpen()) > 0) await pause()
  else return cpuMs()
  return 'done'
}

/** Notes when ends are acknowledged. */
function recordEnds(): void {
  const append = store.append.bind(store)
  store.append = async (commit) => {
    const appended = await append(commit)
    const at = performance.timeOrigin + performance.now()
    for (const { stream, type } of commit.events)
      if (type === 'session_logout.terminated') endedAt.set(uidOfStream(stream) ?? '', at)
    return appended
  }
}

/** The RPs take turns, in thirds: if a third of them never answers, one of each session's does not. */
async function makeLive(count: number): Promise<string> {
  const third = clients.length / LOGINS
  await Promise.all(
    Array.from({ length: count }, async () => {
      const nth = made++
      const accountId = `person-${process.pid}-${nth}`
      const own = clients.filter((_, index) => index % third === nth % third)
      live.push({ accountId, clients: own, session: await makeSession(provider, own, accountId) })
    }),
  )
  const position = await store.end()
  while (((await store.consumers.get(PLANNER))?.position ?? 0) < position) await pause()
  return 'made'
}

async function endMany(count: number, inFlight: number | undefined): Promise<EndedSession[]> {
  const ended: EndedSession[] = []
  const walk = async (): Promise<void> => {
    for (let one = take(); one; one = take()) {
      const confirmed = inFlight === undefined ? undefined : confirmedBy(one)
      ended.push(await end(one))
      await confirmed
    }
  }
  let left = count
  const take = (): LiveSession | undefined => (left-- > 0 ? live.shift() : undefined)
  await Promise.all(Array.from({ length: inFlight ?? 1 }, walk))
  return ended
}

async function end({ session, accountId, clients }: LiveSession): Promise<EndedSession> {
  await session.destroy()
  const at = endedAt.get(session.uid) ?? Number.NaN
  endedAt.delete(session.uid)
  return { accountId, clientIds: clients.map(({ client_id }) => client_id), endedAt: at }
}

/** Resolves when all RPs of the session that answer have done so. */
async function confirmedBy({ accountId, clients }: LiveSession): Promise<void> {
  const answering = clients.filter(({ backchannel_logout_uri: uri }) => !uri?.endsWith('/never'))
  await Promise.all(
    answering.map(async ({ client_id }) => {
      const key = `${accountId} ${client_id}`
      await new Promise<void>((resolve) => confirmations.set(key, resolve))
      confirmations.delete(key)
    }),
  )
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5))
}
