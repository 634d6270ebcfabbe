import { OptionInvalidError } from '../../../lib/index.ts'
import { assertKnownOptions } from '../../../lib/known-options.ts'
import { CLEAR_TEXT_LIMIT, isClearText } from './clear-text.ts'
import type { Order } from './pages.ts'

/** A time: milliseconds since 1970, or a Date. */
export type Time = number | Date

/** How much to tell, and in which order. All optional. */
export interface ReadingOptions {
  /** At most so many. Default: all. */
  readonly limit?: number
  /** Which come first. Default: `oldest`. */
  readonly order?: Order
  /** Ends it. */
  readonly signal?: AbortSignal
}

/**
 * Milliseconds since 1970.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function millisecondsOf(since: Time | undefined): number | undefined {
  if (since === undefined) return undefined
  const time = since instanceof Date ? since.getTime() : since
  if (typeof time !== 'number' || !Number.isFinite(time) || time < 0)
    throw new OptionInvalidError('since', 'must be a time: milliseconds since 1970, or a Date')
  return time
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertKnown(options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw new OptionInvalidError(known.join(', '), `must be given in an object: { ${known.join(', ')} }`)
  assertKnownOptions(options, known)
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertText(option: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw new OptionInvalidError(option, 'must be text')
}

/**
 * Text that is recorded in the clear.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function assertClearText(option: string, value: unknown): void {
  if (typeof value !== 'string' || value.trim() === '' || !isClearText(value))
    throw new OptionInvalidError(option, `must be text of at most ${CLEAR_TEXT_LIMIT} characters`)
}

/**
 * Whoever reads the log later must be able to ask somebody.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function assertActor(actor: unknown): void {
  if (typeof actor !== 'string' || actor.trim() === '' || !isClearText(actor))
    throw new OptionInvalidError('actor', `must be text of at most ${CLEAR_TEXT_LIMIT} characters: who does this`)
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertPosition(position: unknown): void {
  if (position !== undefined && !(Number.isSafeInteger(position) && Number(position) >= 1))
    throw new OptionInvalidError('position', 'must be a position in the log: a whole number from 1')
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertFlag(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw new OptionInvalidError(option, 'must be true or false')
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertCallback(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') throw new OptionInvalidError(option, 'must be a function')
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertReading({ limit, order, signal }: ReadingOptions): void {
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1))
    throw new OptionInvalidError('limit', 'must be a whole number from 1')
  if (order !== undefined && order !== 'oldest' && order !== 'newest')
    throw new OptionInvalidError('order', "must be 'oldest' or 'newest'")
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new OptionInvalidError('signal', 'must be an AbortSignal')
}
