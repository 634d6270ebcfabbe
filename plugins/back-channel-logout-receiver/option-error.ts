import { pageOf } from './error-page.ts'

/** A wrong or unknown option. Thrown when the receiver is created, before any I/O. */
export class ReceiverOptionError extends TypeError {
  override readonly name: string = 'ReceiverOptionError'
  readonly code: 'OPTION_INVALID' = 'OPTION_INVALID'
  /** The option's name, as the caller wrote it. */
  readonly option: string
  /** The page of the code: how it comes, and what to do. A file of the installed package. */
  readonly documentation: string

  constructor(option: string, expectation: string) {
    super(`option "${option}" ${expectation}`)
    this.option = option
    this.documentation = pageOf(this.code)
  }
}

/** Throws unless `options` is an object whose members are all known. */
export function requireKnownOptions(options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new ReceiverOptionError('options', 'must be an object')
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new ReceiverOptionError(name, `is unknown; known are: ${known.join(', ')}`)
  }
}

/** Throws unless `sessions` has the methods of what `loggedOutSessions()` returns that are named. */
export function requireSessions(sessions: unknown, methods: readonly string[]): void {
  const isObject = typeof sessions === 'object' && sessions !== null
  if (!isObject || methods.some((method) => typeof Reflect.get(sessions, method) !== 'function'))
    throw new ReceiverOptionError('sessions', 'must be what loggedOutSessions() returns')
}

export function nonEmptyString(option: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new ReceiverOptionError(option, 'must be a non-empty string')
  return value
}

export function nonEmptyStrings(option: string, value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.some((item) => typeof item !== 'string' || item === '')) {
    throw new ReceiverOptionError(option, 'must be a non-empty array of non-empty strings')
  }
  return Object.freeze([...value])
}

export function nonNegativeNumber(option: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new ReceiverOptionError(option, 'must be a finite number, zero or more')
  }
  return value
}

export function positiveNumber(option: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    throw new ReceiverOptionError(option, 'must be a finite number greater than zero')
  }
  return value
}

export function positiveInteger(option: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw new ReceiverOptionError(option, 'must be an integer, one or more')
  }
  return value
}

export function requireFunction<F extends (...args: never[]) => unknown>(option: string, value: F): F {
  if (typeof value !== 'function') throw new ReceiverOptionError(option, 'must be a function')
  return value
}
