import type { EventStore } from '../../../lib/index.ts'

/** By how much the clocks of processes that write to one log may be apart, in milliseconds. */
export const CLOCKS_APART_MS: number = 600_000

/**
 * The position from which on all commits of a time and later are found, by halving: times in the log are those of the
 * writers' clocks, so it begins a little earlier, and whoever asks compares each time.
 *
 * @param time - milliseconds since 1970
 * @param end - the last position that counts
 */
export async function positionAt(store: EventStore, time: number, end: number): Promise<number> {
  let before = 0 // up to here everything is earlier
  let after = end
  while (before < after) {
    const middle = Math.floor((before + after) / 2)
    const [commit] = await store.readAll({ after: middle, limit: 1 })
    if (!commit || commit.at >= time - CLOCKS_APART_MS) after = middle
    else before = commit.position
  }
  return before + 1
}
