import type { Benchmark, Row } from '../report.ts'
import { benchServer } from '../server.ts'
import { byProcesses } from './by-processes.ts'
import { delays } from './delays.ts'
import { hanging } from './hanging.ts'

/** How deliveries of this package do by the number of processes, by who delivers, and beside RPs that never answer. */
export const deliver: Benchmark = {
  name: 'deliver',
  title: 'Deliveries a second, to the first candidate of each kind of work',
  async run({ rounds, turnMs }): Promise<Row[]> {
    const server = await benchServer({ durable: true })
    const rows: Row[] = []
    try {
      for (const part of [byProcesses, delays, hanging]) rows.push(...(await part(server.uri, { rounds, turnMs })))
    } finally {
      await server.stop()
    }
    return rows
  },
}
