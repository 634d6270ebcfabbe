// A process that writes: `node process.ts <kind> <uri> <database>`. It is told how many at a time and for how long.
import { MongoClient } from 'mongodb'
import { keepInFlight } from '../contest.ts'
import { kindOf } from './kinds.ts'

/** What it is told. */
export interface WriteOrder {
  readonly inFlight: number
  readonly forMs: number
}

const [kind = '', uri = '', database = ''] = process.argv.slice(2)
const client = new MongoClient(uri, { writeConcern: { w: 'majority', journal: true } })
const { write, callsFor = (inFlight: number) => inFlight } = await kindOf(kind, client, database)

process.on('message', ({ inFlight, forMs }: WriteOrder) => {
  void keepInFlight(callsFor(inFlight), forMs, write).then((turn) => process.send?.(turn))
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
