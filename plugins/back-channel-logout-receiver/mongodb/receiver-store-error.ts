/** MongoDB does not answer, or refuses. `cause` is the driver's error, if there is one. */
export class ReceiverStoreError extends Error {
  override readonly name: string = 'ReceiverStoreError'
  readonly code: 'STORE_UNAVAILABLE' = 'STORE_UNAVAILABLE'

  constructor(message: string, options?: { cause: unknown }) {
    super(message, options)
  }
}
