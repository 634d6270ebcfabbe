import { type Clock, systemClock } from '../../lib/clock.ts'

/**
 * The result of `call`, or a rejection with what `timeoutError` makes once `timeoutMs` milliseconds have passed. Nothing
 * stops the call itself: it may still succeed.
 */
export function withTimeout<T>(
  call: () => T | PromiseLike<T>,
  timeoutMs: number,
  timeoutError: () => Error,
  clock: Pick<Clock, 'setTimeout'> = systemClock,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(timeoutError()), timeoutMs)
    new Promise<T>((begin) => begin(call())).then(resolve, reject).finally(() => timer.cancel())
  })
}
