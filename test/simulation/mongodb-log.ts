import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import type { NewCommit } from '../../lib/log/commit.ts'
import type { EventStore } from '../../lib/log/event-store.ts'
import { ephemeralKeys } from '../../lib/secrets/key-ring.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { type Appending, append, commitOf } from '../support/appending.ts'
import { assertLogSound } from '../support/invariants.ts'
import { openDatabase } from '../support/mongo-database.ts'
import { proxyInFrontOf } from '../support/mongo-proxy.ts'
import { PatientStore, patiently } from '../support/patient-store.ts'
import { IMPATIENT, onlyTickets } from '../support/proxied-log.ts'
import { seededRandom } from '../support/seeded-random.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'

/** What a run did, for whoever reads the report. */
export interface Simulated {
  readonly acknowledged: number
  readonly refused: number
  readonly unknown: number
  readonly cuts: number
  readonly tombstones: number
}

const NODES = 3
const LANES = 4
const APPENDS = 30

type Random = () => number

/** A process of the deployment: its store, and the network between it and the database. */
interface Node {
  readonly store: EventStore
  readonly proxy: TcpProxy
  close(): Promise<void>
}

/**
 * Several writers and readers on one database, each behind a network of its own that is late, loses requests and
 * answers, stands still, or keeps an insert for longer than readers wait. At the end the whole log is checked. The same
 * seed makes the same decisions; how they meet is up to the machine.
 *
 * @throws AssertionError when an invariant does not hold
 */
export async function simulate(seed: number): Promise<Simulated> {
  const random = seededRandom(seed)
  const database = await openDatabase('simulated')
  const nodes: Node[] = []
  try {
    const keys = ephemeralKeys()
    for (const index of range(NODES)) nodes.push(await startNode(database, keys, seed * NODES + index, random))
    const followers = nodes.map(({ store }) => new Follower(store, 0))
    const over = new AbortController()
    const weather = nodes.map(({ proxy }, index) => disturb(proxy, seededRandom(seed * 31 + index), over.signal))
    const lanes = nodes.flatMap(({ store }, node) =>
      range(LANES).map((lane) => write(store, `${node}-${lane}`, seededRandom(seed * 1_009 + node * LANES + lane))),
    )
    const answers = (await Promise.all(lanes)).flat()
    over.abort()
    await Promise.all(weather)
    const cuts = nodes.reduce((sum, { proxy }) => sum + proxy.cuts, 0)
    for (const { proxy } of nodes) proxy.calm()
    const late = new Follower(nodes[0]?.store ?? failed(), 0)
    const acknowledged = answers.flatMap(({ id }) => id ?? [])
    const readers = [...followers, late]
    await Promise.all(readers.map((follower) => follower.saw(acknowledged)))
    await Promise.all(readers.map((follower) => follower.stop()))
    const isUnknown = ({ code }: Appending): boolean => code === 'OUTCOME_UNKNOWN'
    const answered = answers.filter((answer) => !isUnknown(answer))
    await assertLogSound(database.db, { answered, subscribers: readers.map(({ ids }) => ({ after: 0, ids })) })
    const unknown = answers.filter(isUnknown).length
    const tombstones = await database.db.collection('events').countDocuments({ e: { $size: 0 } })
    return {
      acknowledged: acknowledged.length,
      refused: answered.length - acknowledged.length,
      unknown,
      cuts,
      tombstones,
    }
  } finally {
    await Promise.all(nodes.map((node) => node.close()))
    await database.drop()
  }
}

async function startNode(
  { uri: serverUri, name }: Awaited<ReturnType<typeof openDatabase>>,
  keys: ReturnType<typeof ephemeralKeys>,
  seed: number,
  random: Random,
): Promise<Node> {
  const { proxy, uri } = await proxyInFrontOf(serverUri)
  const retries = random() < 0.5
  if (random() < 0.3) onlyTickets(proxy, name)
  proxy.chaos({ seed, cutBefore: random() * 0.03, cutAfter: random() * 0.03, delayMs: random() * 8 })
  const client = new MongoClient(uri, { ...IMPATIENT, retryWrites: retries, retryReads: retries })
  const store = new PatientStore(await patiently(() => MongoEventStore.open(client.db(name), { keys })))
  return {
    store,
    proxy,
    async close() {
      proxy.calm()
      await store.close()
      await client.close()
      await proxy.stop()
    },
  }
}

/** One append after the other, of any kind, with a pause now and then. */
async function write(store: EventStore, lane: string, random: Random): Promise<Appending[]> {
  const answers: Appending[] = []
  for (const _ of range(APPENDS)) {
    const kind = random()
    if (kind < 0.3) answers.push(await append(store, commitOf(lane)))
    else if (kind < 0.5) answers.push(await append(store, commitOf(lane, { claims: [mark(random)] })))
    else if (kind < 0.7) answers.push(await append(store, commitOf(lane, { stream: `Thing:${lane}` })))
    else answers.push(await append(store, await nextVersion(store, lane, random)))
    if (random() < 0.2) await sleep(random() * 60)
  }
  return answers
}

function mark(random: Random): { kind: 'once'; mark: string } {
  return { kind: 'once', mark: `code#${Math.floor(random() * 60)}` }
}

async function nextVersion(store: EventStore, lane: string, random: Random): Promise<NewCommit> {
  const stream = `Session:${Math.floor(random() * 3)}`
  const latest = await store.latest(stream)
  return commitOf(lane, { stream, version: (latest?.events[0]?.version ?? 0) + 1 })
}

/** Now and then the network stands still, loses all its connections, or keeps one insert for a while. */
async function disturb(proxy: TcpProxy, random: Random, signal: AbortSignal): Promise<void> {
  const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal }).catch(() => {})
  while (!signal.aborted) {
    await pause(100 + random() * 400)
    const kind = random()
    if (kind < 0.25) proxy.cutAll()
    else if (kind < 0.45) {
      proxy.stall()
      await pause(random() * 1_500)
      proxy.resume()
    } else if (kind < 0.8) {
      const held = proxy.hold({ command: ['insert', 'bulkWrite', 'findAndModify'] })
      await Promise.race([held.arrived, pause(500)])
      await pause(random() * 2_000)
      if (random() < 0.3) proxy.cutAll() // what is held still arrives, when nobody waits for it any more
      held.release()
    }
  }
}

function failed(): never {
  throw new Error('no node was started')
}
