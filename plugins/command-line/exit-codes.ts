import { EventStoreError } from '../../lib/index.ts'

/** What the process ends with. */
export const EXIT = {
  done: 0,
  /** The command was carried out, and found something that an operator has to look at. */
  findings: 1,
  /** An option, an argument or a key is wrong: nothing was done. */
  usage: 2,
  /** The store cannot be reached, or did not say in time how it went. */
  unavailable: 3,
  /** What was asked for is refused as things stand, was not confirmed, or was interrupted before it was done. */
  refused: 4,
  /** A fault of this program's own. */
  fault: 70,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Wrong use of the command line. */
export class UsageError extends Error {}

/** What was asked for was not confirmed. */
export class NotConfirmed extends Error {}

/** The user has ended the command before it was done. */
export class Interrupted extends Error {
  constructor(options?: ErrorOptions) {
    super('interrupted: run it again', options)
  }
}

const UNAVAILABLE: ReadonlySet<string> = new Set(['STORE_UNAVAILABLE', 'STORE_CLOSED', 'OUTCOME_UNKNOWN'])
const USAGE: ReadonlySet<string> = new Set([
  'OPTION_INVALID',
  'KEYS_INVALID',
  'KEY_UNKNOWN',
  'LAYOUT_UNKNOWN',
  'ANCHOR_INVALID',
  'RESUME_UNFIT',
])

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT.usage
  if (error instanceof NotConfirmed || error instanceof Interrupted) return EXIT.refused
  if (!(error instanceof EventStoreError)) return codeOfDriver(error)
  if (UNAVAILABLE.has(error.code)) return EXIT.unavailable
  return USAGE.has(error.code) ? EXIT.usage : EXIT.refused
}

/** What the MongoDB driver throws where no store stands between. */
function codeOfDriver(error: unknown): ExitCode {
  const { name, code } = (error ?? {}) as { readonly name?: unknown; readonly code?: unknown }
  if (typeof name !== 'string' || !name.startsWith('Mongo')) return EXIT.fault
  if (/ServerSelection|Network|Topology|PoolCleared|Timeout/.test(name)) return EXIT.unavailable
  return code === 18 || code === 13 ? EXIT.refused : EXIT.usage
}
