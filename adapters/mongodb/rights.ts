import { StoreRefusedError } from '../../lib/errors.ts'
import type { Call } from './collections.ts'
import { ATLAS_ERROR, codeOf } from './outcome.ts'

/** Unauthorized, and the same as Atlas says it, whose code says nothing by itself. */
const UNAUTHORIZED = 13
const ATLAS_UNAUTHORIZED = /not (allowed|authorized)/i

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
    if (!lacksRight(cause)) throw cause
    throw new StoreRefusedError(`the database user may not "${right}" on ${namespace}: ${adviceOn(right)}`, { cause })
  }
}

function lacksRight(error: unknown): boolean {
  const code = codeOf(error)
  return code === UNAUTHORIZED || (code === ATLAS_ERROR && ATLAS_UNAUTHORIZED.test(String((error as Error).message)))
}

/** The command by which somebody with more rights, and more time, makes what is missing. */
export const PREPARE = 'npx oidc-provider-eventstore prepare'

const READ_WRITE = 'the role readWrite of the database holds all rights that the log needs'

function adviceOn(right: string): string {
  if (right !== 'createIndex') return READ_WRITE
  return `an index is missing there. Have a user who may make it run \`${PREPARE}\`, or give this one more: ${READ_WRITE}`
}
