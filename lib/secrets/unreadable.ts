import { KeyUnknownError, SealBrokenError } from '../errors.ts'

/** Whether what is sealed cannot be read with the keys that are here: its key is not among them, or it was altered. */
export function isUnreadable(error: unknown): error is KeyUnknownError | SealBrokenError {
  return error instanceof KeyUnknownError || error instanceof SealBrokenError
}
