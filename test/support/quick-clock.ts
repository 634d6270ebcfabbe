import { type Clock, sleepOn, systemClock } from '../../lib/clock.ts'

/**
 * A clock on which everything that is waited for comes so many times sooner: leases run out, retries are due. The wall
 * clock's time stays true, since tokens tell it to others.
 */
export function quickClock(times: number): Clock {
  const clock: Clock = {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic() * times,
    setTimeout: (fn, delayMs) => systemClock.setTimeout(fn, delayMs / times),
    sleep: (delayMs, signal) => sleepOn(clock, delayMs, signal),
  }
  return clock
}
