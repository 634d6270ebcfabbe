import { type ReadonlySignal, signal } from '@preact/signals'
import type { Operation, OperationAnswer } from '../../api/contract.ts'
import { pause } from '../browser/clock.ts'
import { asFailure, Failure } from './failure.ts'
import { apiUrl, request } from './request.ts'

/** How often an operation is asked after where the stream does not tell, in milliseconds. */
const LOOK_MS = 1_000

/** So many are kept, the newest. */
const MOST = 100

const known = signal<ReadonlyMap<string, Operation>>(new Map())

/** The operations that this page has heard of, by id. */
export const operations: ReadonlySignal<ReadonlyMap<string, Operation>> = known

export function learnOperation(operation: Operation): void {
  const changed = new Map(known.value)
  const before = changed.get(operation.id)
  if (before && before.state !== 'running' && operation.state === 'running') return // heard too late
  changed.delete(operation.id)
  changed.set(operation.id, operation)
  for (const id of [...changed.keys()].slice(0, -MOST)) changed.delete(id)
  known.value = changed
}

/** Starts an operation. Resolves when the server has it. */
export async function startOperation(route: string, body: object, signal?: AbortSignal): Promise<Operation> {
  const options = { method: 'POST', body, ...(signal && { signal }) } as const
  const { operation } = await request<OperationAnswer>(apiUrl(route), options)
  learnOperation(operation)
  return operation
}

/**
 * Waits until an operation is over.
 *
 * @param hear told how far it is
 * @throws Failure where nobody knows any more how far it is; what the signal aborts with
 */
export async function followOperation(
  started: Operation,
  hear: (operation: Operation) => void,
  signal: AbortSignal,
): Promise<Operation> {
  let latest = started
  for (;;) {
    signal.throwIfAborted()
    hear(latest)
    if (latest.state !== 'running') return latest
    await pause(LOOK_MS, signal)
    const heard = known.value.get(started.id)
    latest = heard && heard !== latest ? heard : await lookUp(started.id, signal)
  }
}

export async function cancelOperation(id: string): Promise<void> {
  const { operation } = await request<OperationAnswer>(apiUrl('/operations/cancel'), { method: 'POST', body: { id } })
  learnOperation(operation)
}

async function lookUp(id: string, signal: AbortSignal): Promise<Operation> {
  try {
    const { operation } = await request<OperationAnswer>(apiUrl('/operations/one', { id }), { signal })
    learnOperation(operation)
    return operation
  } catch (error) {
    if (signal.aborted) throw error
    const failure = asFailure(error)
    if (failure.code !== 'OPERATION_UNKNOWN') throw failure
    throw new Failure('failed', 'another process runs it: Terminations and Logouts say what became of it')
  }
}
