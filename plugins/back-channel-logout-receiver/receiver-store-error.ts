/**
 * A store of the receiver cannot be used now.
 *
 * - `STORE_UNAVAILABLE`: it does not answer in time, or refuses. `cause` is its own error, if there is one.
 * - `STORE_FULL`: a store in memory holds as many entries as it may. It forgets none that still counts.
 */
export class ReceiverStoreError extends Error {
  override readonly name: string = 'ReceiverStoreError'
  readonly code: 'STORE_UNAVAILABLE' | 'STORE_FULL'

  constructor(message: string, options: { code?: 'STORE_UNAVAILABLE' | 'STORE_FULL'; cause?: unknown } = {}) {
    const { code = 'STORE_UNAVAILABLE', ...rest } = options
    super(message, rest)
    this.code = code
  }
}
