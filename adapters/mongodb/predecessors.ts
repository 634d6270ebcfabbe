import type { Clock } from '../../lib/clock.ts'
import { ConcurrencyError, StoreUnavailableError } from '../../lib/errors.ts'
import { versionClaim } from '../../lib/log/claims.ts'
import { firstVersions, type PreparedCommit } from '../../lib/log/prepare.ts'
import type { Collections } from './collections.ts'
import type { EventsDocument } from './documents.ts'
import type { Positions } from './positions.ts'
import { asStoreError } from './store-errors.ts'
import { CommandTimeoutError, withTimeout } from './with-timeout.ts'

/** Waits between looks, in milliseconds. */
const PAUSES_MS: readonly number[] = [5, 20, 50, 100, 200, 500, 1_000]

interface Parts {
  readonly collections: Collections
  readonly positions: Positions
  readonly clock: Clock
}

/**
 * A version needs its predecessor: what is dense stays dense. Gives up after `timeoutMs` milliseconds by the monotonic
 * clock, whatever the driver waits for.
 *
 * @throws ConcurrencyError, StoreUnavailableError, StoreRefusedError
 */
export async function assertPredecessors(parts: Parts, prepared: PreparedCommit, timeoutMs: number): Promise<void> {
  const since = parts.clock.monotonic()
  for (const [stream, version] of firstVersions(prepared.events)) {
    if (version === 1) continue
    const leftMs = Math.max(0, timeoutMs - (parts.clock.monotonic() - since))
    const found = await withTimeout(parts.clock, leftMs, (signal) =>
      find(parts, versionClaim(stream, version - 1), signal),
    ).catch(unanswered)
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
  ended: AbortSignal,
): Promise<Pick<EventsDocument, '_id'> | undefined> {
  const holder = { k: claim }
  const shape = { projection: { _id: 1 } }
  for (let tries = 0; ; tries++) {
    try {
      const found = await collections.attempt((signal) =>
        collections.majorityEvents.findOne(holder, { ...shape, signal }),
      )
      if (found) return found
      if (!(await collections.attempt((signal) => collections.events.findOne(holder, { ...shape, signal })))) {
        return undefined
      }
    } catch (error) {
      const failure = asStoreError(error)
      if (!(failure instanceof StoreUnavailableError)) throw failure
    }
    await clock.sleep(PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)] as number, ended)
    ended.throwIfAborted()
  }
}

function unanswered(error: unknown): never {
  if (!(error instanceof CommandTimeoutError)) throw error
  throw new StoreUnavailableError('MongoDB does not answer: nothing was stored, try again later', { cause: error })
}
