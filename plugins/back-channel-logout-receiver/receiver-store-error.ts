import { pageOf } from './error-page.ts'

/**
 * A store of the receiver failed.
 *
 * - `STORE_UNAVAILABLE`: it did not respond in time, or reported an error, which is the `cause`.
 * - `STORE_FULL`: an in-memory store has reached `maxEntries`. It never evicts entries that have not expired.
 */
export class ReceiverStoreError extends Error {
  override readonly name: string = 'ReceiverStoreError'
  readonly code: 'STORE_UNAVAILABLE' | 'STORE_FULL'
  /** The page of the code: how it comes, and what to do. A file of the installed package. */
  readonly documentation: string

  constructor(message: string, options: { code?: 'STORE_UNAVAILABLE' | 'STORE_FULL'; cause?: unknown } = {}) {
    const { code = 'STORE_UNAVAILABLE', ...rest } = options
    super(message, rest)
    this.code = code
    this.documentation = pageOf(code)
  }
}
