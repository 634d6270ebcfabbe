import { EventStoreError } from '../errors.ts'

/**
 * What `error.type` says of a failure: one of few. A code of this package, or that it was another error; never its message,
 * which may hold what strangers have sent.
 */
export function errorType(error: unknown): string {
  return error instanceof EventStoreError ? error.code : '_OTHER'
}
