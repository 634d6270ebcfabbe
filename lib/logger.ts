import { printable, printableJson } from './printable.ts'

/**
 * What this package logs to: pino, or anything with the same four methods. Every line has an `event`, which names what
 * happened, and a `component`, which names the part that says so. `docs/logging.md` lists them, and says what each level
 * means.
 */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** A logger that adds these fields to each of its lines. Absent: they are given with each line. */
  child?(fields: { readonly component: string }): Logger
}

/** The parts that log. */
export type Component =
  | 'provider'
  | 'consumer'
  | 'heartbeat'
  | 'operators'
  | 'retention'
  | 'telemetry'
  | 'store'
  | 'planner'
  | 'dispatcher'
  | 'terminations'
  | 'expiry'
  | 'clients'
  | 'single_session'
  | 'receiver'
  | 'console'
  | 'account_sessions'
  | 'site'

/** The logger that a part was made from. */
const ORIGINS = new WeakMap<Logger, Logger>()

/** The logger of a part, made from the deployment's own, or from that of another part. */
export function componentLogger(given: Logger, component: Component): Logger {
  const origin = ORIGINS.get(given) ?? given
  const logger = origin.child?.({ component }) ?? withFields(origin, { component })
  ORIGINS.set(logger, origin)
  return logger
}

function withFields(logger: Logger, fields: object): Logger {
  return {
    debug: (more, message) => logger.debug({ ...fields, ...more }, message),
    info: (more, message) => logger.info({ ...fields, ...more }, message),
    warn: (more, message) => logger.warn({ ...fields, ...more }, message),
    error: (more, message) => logger.error({ ...fields, ...more }, message),
  }
}

/** Prints nothing: for those who want to hear nothing, not even of what fails. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * Prints warnings and errors to the console, one line each, and nothing else: the logger where none is given.
 *
 *     oidc-provider-eventstore WARN client_not_told: a client is not told of logouts: … {"client_id":"shop"}
 */
export const consoleLogger: Logger = {
  debug() {},
  info() {},
  warn: (fields, message) => console.warn(lineOf('WARN', fields, message)),
  error: (fields, message) => console.error(lineOf('ERROR', fields, message)),
}

function lineOf(level: string, fields: object, message: string): string {
  const { event, ...rest } = fields as { readonly event?: unknown }
  const name = typeof event === 'string' ? ` ${event}` : ''
  const more = Object.keys(rest).length > 0 ? ` ${jsonOf(rest)}` : ''
  return `oidc-provider-eventstore ${level}${name}: ${printable(message.replace(/\p{Cc}+/gu, ' '))}${more}`
}

/** JSON has no line breaks in it. What it cannot hold must not turn a warning into a failure. */
function jsonOf(fields: object): string {
  try {
    const replace = (_key: string, value: unknown): unknown => (value instanceof Error ? errorFields(value) : value)
    return printableJson(JSON.stringify(fields, replace))
  } catch {
    return '(fields that are no JSON)'
  }
}

/** `cause` is an error as a rule, and is told in the same way. */
function errorFields(error: Error): object {
  const { code } = error as { readonly code?: unknown }
  const { name, message, stack, cause } = error
  return { name, ...(code !== undefined && { code }), message, stack, ...(cause !== undefined && { cause }) }
}
