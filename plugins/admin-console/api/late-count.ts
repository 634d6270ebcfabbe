import { StoreUnavailableError } from '../../../lib/index.ts'

/** A count over all that is pending may take longer than a look may: the rest is told without it. */
export function withoutLate(error: unknown): undefined {
  if (!(error instanceof StoreUnavailableError)) throw error
}
