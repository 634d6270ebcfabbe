import { portOutsideEphemeralRange } from '../../support/free-port.ts'
import { BenchProcess } from '../bench-process.ts'
import { databaseOfRun } from '../server.ts'
import type { OpKind, OpSetup, Usage } from './op-process.ts'

/** An OP in a process of its own. */
export interface Op {
  readonly kind: OpKind
  readonly issuer: string
  readonly process: BenchProcess
}

let started = 0

/** Starts an OP on a port and a database of its own. */
export async function startOp(setup: Omit<OpSetup, 'port' | 'database' | 'issuer'>): Promise<Op> {
  const port = await portOutsideEphemeralRange()
  const process = await startOpProcess({ ...setup, port, database: databaseOfRun(`op_${started++}`) })
  return { kind: setup.kind, issuer: `http://127.0.0.1:${port}`, process }
}

export function startOpProcess(setup: OpSetup): Promise<BenchProcess> {
  return BenchProcess.start('op-process.ts', import.meta.url, JSON.stringify(setup))
}

export function usageOf({ process }: Op): Promise<Usage> {
  return process.ask<Usage>('usage')
}
