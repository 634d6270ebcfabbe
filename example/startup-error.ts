import { EventStoreError } from 'oidc-provider-eventstore'

/** Something that the person who starts the example can put right. The message says what, and how. */
export class StartupError extends Error {
  override readonly name = 'StartupError'
}

/**
 * The one line that tells a person what is wrong. The errors of the package are written for that; of all others the
 * stack is what helps.
 */
export function explain(error: unknown): string {
  if (error instanceof StartupError) return error.message
  if (error instanceof EventStoreError) return `${error.message} (${error.code})`
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
