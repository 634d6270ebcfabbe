import type { Clock } from './clock.ts'

/**
 * Whether something ends within so many milliseconds; it goes on if it does not. For what a shutdown cannot wait for
 * without end: a database that hangs answers nothing, not even with an error.
 *
 * @throws what it rejects with in time
 */
export async function inTime(ending: Promise<unknown>, clock: Clock, ms: number): Promise<boolean> {
  const over = new AbortController()
  try {
    return await Promise.race([ending.then(() => true), clock.sleep(ms, over.signal).then(() => false)])
  } finally {
    over.abort()
  }
}
