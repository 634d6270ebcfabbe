import {
  type EventStoreError,
  OutcomeUnknownError,
  StoreClosedError,
  StoreRefusedError,
  StoreUnavailableError,
} from '../../../lib/index.ts'

/**
 * Whether the store was away, or did not say in time how it went. That tells nothing about what was asked for, and no
 * answer may be made up in its place: a request fails as a whole and is repeated, a delivery waits.
 */
export function isStoreUnavailable(error: unknown): error is EventStoreError {
  return (
    error instanceof StoreUnavailableError ||
    error instanceof StoreClosedError ||
    error instanceof StoreRefusedError ||
    error instanceof OutcomeUnknownError
  )
}
