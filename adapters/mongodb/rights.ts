import { StoreRefusedError } from '../../lib/errors.ts'
import type { Call } from './collections.ts'
import { codeOf } from './outcome.ts'

/** Unauthorized, and the same as Atlas says it. */
const REFUSALS: ReadonlySet<number | undefined> = new Set([13, 8000])

/** Runs one command of `open()` within its time limit. */
export type AskWith = <T>(call: Call<T>) => Promise<T>

/**
 * Runs what needs a right of the database user, and names the right when the server says that it is missing.
 *
 * @param right - the action, as MongoDB's privileges call it: https://www.mongodb.com/docs/manual/reference/privilege-actions/
 * @throws StoreRefusedError (`STORE_REFUSED`)
 */
export async function needing<T>(right: string, namespace: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (!REFUSALS.has(codeOf(cause))) throw cause
    throw new StoreRefusedError(`the database user may not "${right}" on ${namespace}: ${adviceOn(right)}`, { cause })
  }
}

const READ_WRITE = 'the role readWrite of the database holds all rights that the log needs'

function adviceOn(right: string): string {
  if (right !== 'createIndex') return READ_WRITE
  return `an index is missing there. Have a user who may make it run \`npx oidc-provider-eventstore prepare\`, or give this one more: ${READ_WRITE}`
}
