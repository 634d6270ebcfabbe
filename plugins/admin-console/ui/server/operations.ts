import { type ReadonlySignal, signal } from '@preact/signals'
import type { Operation, OperationAnswer } from '../../api/contract.ts'
import { pause } from '../browser/clock.ts'
import { asFailure } from './failure.ts'
import { apiUrl, request } from './request.ts'

/** How often an operation is asked after where the stream does not tell, in milliseconds. */
const LOOK_MS = 1_000

/** While that does not work, the pauses get longer, up to this. */
const MOST_LOOK_MS = 10_000

/** So many answers in a row that know nothing of it, and nobody does: each may be of another process. */
const MOST_UNKNOWN = 5

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
 * Waits until an operation is over. It goes on while nobody can be asked: so it is asked for again and again.
 *
 * @param hear told how far it is, and whether that cannot be asked now
 * @returns undefined: nobody knows of it, any more or among those who were asked
 * @throws what the signal aborts with
 */
export async function followOperation(
  started: Operation,
  hear: (operation: Operation, isUnheard: boolean) => void,
  signal: AbortSignal,
): Promise<Operation | undefined> {
  let latest = started
  for (let failed = 0, unknown = 0; unknown < MOST_UNKNOWN; ) {
    signal.throwIfAborted()
    hear(latest, failed + unknown > 0)
    if (latest.state !== 'running') return latest
    await pause(Math.min(LOOK_MS * 2 ** failed, MOST_LOOK_MS), signal)
    const heard = known.value.get(started.id)
    try {
      latest = heard && heard !== latest ? heard : await lookUp(started.id, signal)
      failed = unknown = 0
    } catch (error) {
      const isUnknown = asFailure(error).code === 'OPERATION_UNKNOWN'
      failed = isUnknown ? 0 : failed + 1
      unknown = isUnknown ? unknown + 1 : 0
    }
  }
  return undefined
}

export async function cancelOperation(id: string): Promise<void> {
  const { operation } = await request<OperationAnswer>(apiUrl('/operations/cancel'), { method: 'POST', body: { id } })
  learnOperation(operation)
}

async function lookUp(id: string, signal: AbortSignal): Promise<Operation> {
  const { operation } = await request<OperationAnswer>(apiUrl('/operations/one', { id }), { signal })
  learnOperation(operation)
  return operation
}
