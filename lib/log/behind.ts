import { LogForgedError, SchemaNewerError } from '../errors.ts'
import type { EventStore } from './event-store.ts'

type Readable = Pick<EventStore, 'readAll'>

/**
 * By how many positions somebody who has followed the log up to `position` is behind its end. 0 where no commit lies
 * between the two: a lost race leaves a tombstone, which is delivered to nobody, so that no checkpoint passes it before
 * the next commit. 0 also for whoever has got beyond that end meanwhile.
 *
 * @param end - `EventStore.end()`, of the moment that counts
 */
export async function behind(store: Readable, position: number, end: number): Promise<number> {
  if (position >= end) return 0
  try {
    const next = await firstAfter(store, position)
    return next !== undefined && next.position <= end ? end - position : 0
  } catch (error) {
    if (error instanceof SchemaNewerError) return end - position // there is something, whatever it is
    throw error
  }
}

/**
 * Consumers, each with how far it is behind. Whoever stands below one that is behind is behind as well: mostly one read
 * for all of them.
 */
export async function withBehind<T extends { readonly position: number }>(
  store: Readable,
  consumers: readonly T[],
  end: number,
): Promise<(T & { readonly behind: number })[]> {
  const byPosition = new Map<number, number>()
  let isBehind = false
  for (const { position } of consumers.toSorted((a, b) => b.position - a.position)) {
    if (byPosition.has(position)) continue
    const by: number = isBehind ? end - position : await behind(store, position, end)
    isBehind = by > 0
    byPosition.set(position, by)
  }
  return consumers.map((consumer) => ({ ...consumer, behind: byPosition.get(consumer.position) ?? 0 }))
}

/** The first commit after a position, and when it was appended. When a forged one was is not known. */
export async function firstAfter(
  store: Readable,
  position: number,
): Promise<{ readonly position: number; readonly at?: number } | undefined> {
  try {
    const [next] = await store.readAll({ after: position, limit: 1 })
    return next
  } catch (error) {
    if (error instanceof LogForgedError) return { position: position + 1 }
    throw error
  }
}
