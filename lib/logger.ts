/** What this package logs to: pino, or anything with the same four methods. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Says nothing. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }
