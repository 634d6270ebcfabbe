import { TcpProxy } from '../../support/tcp-proxy.ts'
import { BenchProcess } from '../bench-process.ts'
import { type Candidate, contest, type Turn, together } from '../contest.ts'
import type { Benchmark, Row } from '../report.ts'
import { benchServer, databaseOfRun } from '../server.ts'
import { OWN_KINDS } from './kinds.ts'
import type { WriteOrder } from './process.ts'

const EMMETT = 'emmett'
const TO = 'CRUD upsert'

/** How many commits a second can be appended, one at a time and many, in one process and in two. */
export const append: Benchmark = {
  name: 'append',
  title: 'Appends a second, to CRUD upserts',
  async run({ rounds, turnMs, peers, quick }): Promise<Row[]> {
    const server = await benchServer({ durable: true })
    const proxy = server.port === undefined ? undefined : await TcpProxy.start(server.port)
    proxy?.delay(1, 'request')
    const rows: Row[] = []
    try {
      const kinds = peers ? [...OWN_KINDS, EMMETT] : OWN_KINDS
      for (const processes of [1, 2]) {
        const fleet = await startWriters(kinds, server.uri, processes)
        for (const inFlight of quick ? [1, 32, 256] : [1, 32, 256, 1_000]) {
          if (inFlight < processes) continue
          const where = { 'in flight': inFlight, processes, network: 'loopback' }
          const results = await contest(fleet.candidates(inFlight), TO, { rounds, turnMs })
          rows.push(...results.map((result) => ({ where, ...result })))
        }
        fleet.stop()
      }
      if (!proxy) return rows
      const far = await startWriters([OWN_KINDS[0] ?? '', TO], proxy.uri(server.uri), 1)
      const results = await contest(far.candidates(1), TO, { rounds, turnMs })
      rows.push(...results.map((result) => ({ where: { 'in flight': 1, processes: 1, network: '1 ms' }, ...result })))
      far.stop()
    } finally {
      await proxy?.stop()
      await server.stop()
    }
    return rows
  },
}

interface Fleet {
  candidates(inFlight: number): Candidate[]
  stop(): void
}

async function startWriters(kinds: readonly string[], uri: string, processes: number): Promise<Fleet> {
  const started = await Promise.all(
    kinds.map(async (kind) => {
      const database = databaseOfRun(`append_${kinds.indexOf(kind)}_${processes}`)
      return {
        kind,
        writers: await Promise.all(Array.from({ length: processes }, () => startWriter(kind, uri, database))),
      }
    }),
  )
  return {
    candidates: (inFlight) =>
      started.map(({ kind, writers }) => ({
        name: kind,
        turn: async (forMs) => {
          const order: WriteOrder = { inFlight: inFlight / writers.length, forMs }
          return together(await Promise.all(writers.map((writer) => writer.ask<Turn>(order))))
        },
      })),
    stop: () => {
      for (const { writers } of started) for (const writer of writers) writer.kill()
    },
  }
}

function startWriter(kind: string, uri: string, database: string): Promise<BenchProcess> {
  const script = kind === EMMETT ? '../peers/emmett-process.js' : 'process.ts'
  return BenchProcess.start(script, import.meta.url, kind, uri.replace(/\/$/, ''), database)
}
