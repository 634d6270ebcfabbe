import assert from 'node:assert/strict'
import { type ErrorCode, EventStoreError } from '../../../lib/errors.ts'

/** The one element of the list. */
export function only<T>(list: readonly T[]): T {
  assert.equal(list.length, 1, `one element expected, ${list.length} found`)
  return list[0] as T
}

/** The value, which must be there. */
export function present<T>(value: T | undefined): T {
  assert.notEqual(value, undefined, 'nothing is there')
  return value as T
}

/** Calls it, and expects one of this package's errors. */
export async function rejectsWith(code: ErrorCode, call: () => unknown): Promise<EventStoreError> {
  try {
    await call()
  } catch (error) {
    if (!(error instanceof EventStoreError)) throw error
    assert.equal(error.code, code, error.message)
    return error
  }
  assert.fail(`${code} expected, nothing was thrown`)
}

/** Runs all at once: what succeeded, and with which codes the others failed. Any error but ours fails the test. */
export async function race<T>(calls: readonly (() => Promise<T>)[]): Promise<{ won: T[]; lost: ErrorCode[] }> {
  const won: T[] = []
  const lost: ErrorCode[] = []
  for (const result of await Promise.allSettled(calls.map((call) => call()))) {
    if (result.status === 'fulfilled') won.push(result.value)
    else if (result.reason instanceof EventStoreError) lost.push(result.reason.code)
    else throw result.reason
  }
  return { won, lost }
}
