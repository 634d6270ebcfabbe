import type { Db } from 'mongodb'
import { type Clock, systemClock } from '../../../lib/clock.ts'
import { OptionInvalidError } from '../../../lib/errors.ts'
import { EventSourced } from '../../../lib/event-sourced.ts'
import { assertKnownOptions } from '../../../lib/known-options.ts'
import type { Payload } from '../../../lib/provider/models.ts'
import { assertLayout, type Layout } from './layout.ts'

/** Where to move from, and where to. */
export interface MoveOptions {
  /** The database of the other adapter. It is only read. */
  readonly from: Db
  /** The OP on the log, started. A dry run needs none. */
  readonly op?: EventSourced
  /** How the other adapter keeps its state: what `detectLayout(from)` proposes, or your own. */
  readonly layout: Layout
  /**
   * Which codes, and what else is used once but refresh tokens, are taken where the layout says that their use was not
   * recorded. Default: `recorded`, so none of those.
   */
  readonly codes?: 'recorded' | 'all'
  /**
   * Called with each payload that is taken. Returns the one to store: with a client's secret decrypted, for example.
   * Must return the same for the same payload each time.
   */
  readonly transform?: (
    payload: Payload,
    of: { readonly model: string; readonly id: string },
  ) => Payload | Promise<Payload>
  /** So many documents are read at once, and held in memory. Default: 500. */
  readonly pageSize?: number
  /** So many documents are written at a time. Default: 64. */
  readonly inFlight?: number
  /** Ends the call: it rejects with the signal's reason. What was written stays, and the next pass goes on. */
  readonly signal?: AbortSignal
  /** Called after each page. */
  readonly onProgress?: (progress: Progress) => void
  readonly clock?: Clock
}

/** How far a pass is. */
export interface Progress {
  /** What it is doing. */
  readonly step: 'reading' | 'ending' | 'verifying'
  readonly collection: string
  /** Documents that were read so far, of all collections; of the step `ending`: states of the log. */
  readonly read: number
  /** About how many there are. Undefined: nobody knows. */
  readonly total: number | undefined
}

/** Options with their defaults. */
export type CompleteOptions = MoveOptions & Required<Pick<MoveOptions, 'codes' | 'pageSize' | 'inFlight' | 'clock'>>

const OPTIONS = ['from', 'op', 'layout', 'codes', 'transform', 'pageSize', 'inFlight', 'signal', 'onProgress', 'clock']

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function completeOptions(options: MoveOptions, more: readonly string[] = []): CompleteOptions {
  assertKnownOptions(options, [...OPTIONS, ...more])
  const { from, op, layout, codes = 'recorded', pageSize = 500, inFlight = 64, clock = systemClock } = options
  if (typeof from?.collection !== 'function') throw new OptionInvalidError('from', 'must be a Db of the MongoDB driver')
  if (op !== undefined && !(op instanceof EventSourced))
    throw new OptionInvalidError('op', 'must be what eventSourced() returns')
  assertLayout(layout)
  if (codes !== 'recorded' && codes !== 'all') throw new OptionInvalidError('codes', "must be 'recorded' or 'all'")
  for (const [option, value] of Object.entries({ pageSize, inFlight })) {
    if (!Number.isSafeInteger(value) || value < 1) throw new OptionInvalidError(option, 'must be a whole number from 1')
  }
  return { ...options, codes, pageSize, inFlight, clock }
}
