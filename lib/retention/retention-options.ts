import { OptionInvalidError } from '../errors.ts'
import { assertKnownOptions } from '../known-options.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** How long is kept what is not needed any more. Times in milliseconds. */
export interface RetentionOptions {
  /**
   * States that expired, ended or were replaced, and what used, ended or revoked them. As long as they are kept,
   * `explain()` tells what became of them. Default: 30 days; at least one day.
   */
  readonly statesMs?: number
  /**
   * The same for what strangers write: interactions, pushed requests, device codes, and proofs that were shown. Default: one
   * hour, which is also the least.
   */
  readonly interactionsMs?: number
  /** The history of a session's logout, counted from its last event. Default: 400 days; at least 30 days. */
  readonly sessionLogoutsMs?: number
}

/** The same, complete. */
export type RetentionPolicy = Required<RetentionOptions>

export const RETENTION_DEFAULTS: RetentionPolicy = {
  statesMs: 30 * DAY_MS,
  interactionsMs: HOUR_MS,
  sessionLogoutsMs: 400 * DAY_MS,
}

const LEAST: RetentionPolicy = { statesMs: DAY_MS, interactionsMs: HOUR_MS, sessionLogoutsMs: 30 * DAY_MS }

/** The longest time that retention's own samples reach back. */
const MOST_MS = 2_190 * DAY_MS

const NAMES = Object.keys(LEAST) as (keyof RetentionPolicy)[]

/**
 * The policy; undefined where retention is off.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function retentionPolicy(options: RetentionOptions | false | undefined): RetentionPolicy | undefined {
  if (options === false) return undefined
  if (options === undefined) return RETENTION_DEFAULTS
  if (typeof options !== 'object' || options === null)
    throw new OptionInvalidError('retention', 'must be an object with times in milliseconds, or false')
  assertKnownOptions(options, new Set(NAMES))
  for (const name of NAMES) {
    const value = options[name]
    if (value === undefined) continue
    if (!Number.isSafeInteger(value) || value < LEAST[name] || value > MOST_MS) {
      throw new OptionInvalidError(
        `retention.${name}`,
        `must be a time in milliseconds, from ${LEAST[name]} to ${MOST_MS}`,
      )
    }
  }
  return { ...RETENTION_DEFAULTS, ...withoutUndefined(options) }
}

function withoutUndefined(options: RetentionOptions): RetentionOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
