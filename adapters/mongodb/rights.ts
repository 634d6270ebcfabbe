import { StoreRefusedError } from '../../lib/errors.ts'
import type { Call } from './collections.ts'
import { ATLAS_ERROR, codeOf } from './outcome.ts'

/** Unauthorized, and the same as Atlas says it, whose code says nothing by itself. */
const UNAUTHORIZED = 13
const ATLAS_UNAUTHORIZED = /not (allowed|authorized)/i

/** Runs one command of `open()` within its time limit. */
export type AskWith = <T>(call: Call<T>) => Promise<T>

const READ_WRITE = 'the role readWrite of the database holds all rights that the log needs'

/**
 * Runs what needs a right of the database user, and names the right when the server says that it is missing.
 *
 * @param right - the action, as MongoDB's privileges call it: https://www.mongodb.com/docs/manual/reference/privilege-actions/
 * @param advice - what to do then
 * @throws StoreRefusedError (`STORE_REFUSED`)
 */
export async function needing<T>(
  right: string,
  namespace: string,
  run: () => Promise<T>,
  advice: string = READ_WRITE,
): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (!lacksRight(cause)) throw cause
    throw new StoreRefusedError(`the database user may not "${right}" on ${namespace}: ${advice}`, { cause })
  }
}

function lacksRight(error: unknown): boolean {
  const code = codeOf(error)
  return code === UNAUTHORIZED || (code === ATLAS_ERROR && ATLAS_UNAUTHORIZED.test(String((error as Error).message)))
}

/** What to do where this user may not make what is missing. @param what - "the index "claims" is" */
export function adviceToPrepare(what: string, prefix: string): string {
  return `${what} missing there. Have a user who may make indexes run \`${prepareCommand(prefix)}\`, or give this one more: ${READ_WRITE}`
}

/** The command by which somebody with more rights, and more time, makes what is missing in a log. */
export function prepareCommand(prefix: string): string {
  return `npx oidc-provider-eventstore prepare${prefix && ` --prefix ${prefix}`}`
}
