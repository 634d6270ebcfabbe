import { type Clock, systemClock } from '../../lib/clock.ts'

/**
 * The result of `call`, or a rejection with the result of `timeoutError` after `timeoutMs` milliseconds. The call itself is
 * not cancelled, and may still succeed.
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
