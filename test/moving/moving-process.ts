// A pass in a process of its own, for a test that kills it: where it moves from and to comes as JSON in its first argument.
// It tells by IPC how far it is, and never outlives whoever started it.
import { MongoClient } from 'mongodb'
import { type Layout, migrate } from '../../adapters/mongodb/moving/index.ts'
import { startedOp } from '../support/started-op.ts'
import { openPlace, type Place } from '../support/store-place.ts'

/** What the process is told. */
export interface MovingSetup {
  readonly uri: string
  readonly from: string
  readonly to: Place
  readonly layout: Layout
}

process.on('disconnect', () => process.exit(1))
if (!process.connected) process.exit(1)

const { uri, from, to, layout } = JSON.parse(process.argv[2] ?? '') as MovingSetup
const client = await MongoClient.connect(uri)
const { store } = await openPlace(to)
await migrate({
  from: client.db(from),
  op: await startedOp(store),
  layout,
  pageSize: 20,
  inFlight: 4,
  onProgress: (progress) => process.send?.(progress),
})
process.exit(0)
