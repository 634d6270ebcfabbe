import type { Clock } from '../../lib/clock.ts'
import { ConcurrencyError, StoreUnavailableError } from '../../lib/errors.ts'
import { versionClaim } from '../../lib/log/claims.ts'
import { firstVersions, type PreparedCommit } from '../../lib/log/prepare.ts'
import type { Collections } from './collections.ts'
import type { EventsDocument } from './documents.ts'
import type { Positions } from './positions.ts'

/** Waits between looks, in milliseconds. */
const PAUSES_MS: readonly number[] = [5, 20, 50, 100, 200, 500, 1_000]

interface Parts {
  readonly collections: Collections
  readonly positions: Positions
  readonly clock: Clock
}

/**
 * A version needs its predecessor: what is dense stays dense. Gives up after `patienceMs` milliseconds by the monotonic
 * clock, whatever the driver waits for.
 *
 * @throws ConcurrencyError, StoreUnavailableError, StoreRefusedError
 */
export async function assertPredecessors(parts: Parts, prepared: PreparedCommit, patienceMs: number): Promise<void> {
  for (const [stream, version] of firstVersions(prepared.events)) {
    if (version === 1) continue
    const found = await inTime(parts.clock, patienceMs, (signal) =>
      find(parts, versionClaim(stream, version - 1), signal),
    )
    if (!found) throw new ConcurrencyError(stream)
    parts.positions.see(Number(found._id))
  }
}

/**
 * Who holds the claim. What an append is decided on is read at majority: a predecessor that a fail-over rolled back
 * would leave a gap below its successor. One that the primary has and the majority not yet is waited for.
 */
async function find(
  { collections, clock }: Parts,
  claim: string,
  signal: AbortSignal,
): Promise<Pick<EventsDocument, '_id'> | undefined> {
  const holder = { k: claim }
  const shape = { projection: { _id: 1 } }
  for (let tries = 0; ; tries++) {
    try {
      const found = await collections.reach(collections.majorityEvents.findOne(holder, shape))
      if (found) return found
      if (!(await collections.reach(collections.events.findOne(holder, shape)))) return undefined
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
    }
    await clock.sleep(PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)] as number, signal)
    signal.throwIfAborted()
  }
}

async function inTime<T>(clock: Clock, mostMs: number, look: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController()
  const timer = clock.setTimeout(() => over.abort(), mostMs)
  const late = new Promise<never>((_, reject) => {
    over.signal.addEventListener('abort', () =>
      reject(new StoreUnavailableError('MongoDB does not answer: nothing was stored, try again later')),
    )
  })
  try {
    return await Promise.race([look(over.signal), late])
  } finally {
    timer.cancel()
  }
}
