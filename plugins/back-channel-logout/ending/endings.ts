import type { Host } from '../../../lib/index.ts'

/** The work table of ends that are to come: jobs, and sessions that may have expired. */
export const ENDINGS = 'endings'

/**
 * Milliseconds since 1970: the earlier of this machine's time and the store's. Where one of the two clocks is ahead
 * nobody's session ends before its time, and nothing that lives is taken for expired and left alone.
 */
export async function earlierTime({ store, clock }: Pick<Host, 'store' | 'clock'>): Promise<number> {
  return Math.min(clock.now(), await store.work(ENDINGS).time())
}
