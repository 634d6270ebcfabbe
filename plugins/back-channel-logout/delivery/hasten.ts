import type { HastenOptions, WorkTable } from '../../../lib/index.ts'
import { assertCallback, assertKnown, assertReading } from '../recording/criteria.ts'
import { AT_ONCE } from './delivery-worker.ts'

/** How many deliveries to a client are due earlier. */
export interface RetryProgress {
  readonly hastened: number
}

/** How a retry of many deliveries is followed and ended. */
export interface RetryOptions {
  /** Called as it goes on, about every 1,000 deliveries. The call rejects with what it throws. */
  readonly onProgress?: (soFar: RetryProgress) => void
  /** Ends it: deliveries that are due earlier by then stay so. */
  readonly signal?: AbortSignal
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertRetryOptions(options: RetryOptions): void {
  assertKnown(options, ['onProgress', 'signal'])
  const { onProgress, signal } = options
  assertCallback('onProgress', onProgress)
  assertReading({ ...(signal !== undefined && { signal }) })
}

/**
 * Makes the deliveries that wait in a lane due at once.
 *
 * @param onPage - called after each page of them
 */
export function hasten(
  work: WorkTable,
  lane: string,
  { signal, onProgress }: RetryOptions,
  onPage: () => void = () => undefined,
): Promise<number> {
  const options: HastenOptions = {
    ...(signal && { signal }),
    onProgress(hastened) {
      onPage()
      onProgress?.({ hastened })
    },
  }
  return work.hasten(lane, AT_ONCE, options)
}
