import { inTime } from '../../../lib/in-time.ts'
import type { Clock } from '../../../lib/index.ts'

/** How long a look-up of a client may take, in milliseconds: longer than the store takes to say that it is away. */
const LOOKUP_MS = 9_000

/** The adapter of the clients, which may be one of the application's own, did not answer. */
export class ClientsSilent extends Error {
  constructor() {
    super(`the adapter of the clients has not answered for ${LOOKUP_MS / 1_000} s`)
  }
}

/**
 * What a look-up of a client finds, within nine seconds.
 *
 * @throws ClientsSilent, and what the look-up rejects with
 */
export async function answeredInTime<T>(lookup: Promise<T>, clock: Clock): Promise<T> {
  if (!(await inTime(lookup, clock, LOOKUP_MS))) throw new ClientsSilent()
  return lookup
}
