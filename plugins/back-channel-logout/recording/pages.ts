import type { Commit, EventStore } from '../../../lib/index.ts'

/** How many commits are held at a time. */
export const PAGE_SIZE: number = 100

/** In which order the log is gone through. */
export type Order = 'oldest' | 'newest'

/** Which part of some streams to read, and how. */
export interface PageOptions {
  /** The first position that counts. */
  readonly from: number
  /** The last one. */
  readonly to: number
  readonly order: Order
  readonly size: number
}

/**
 * The commits that name any of the streams, each once, a page at a time; for streams that may be long. A thing has one
 * stream for each hashing key, and while keys rotate some of its commits are in one of them only.
 */
export async function* pagesOf(
  store: EventStore,
  streams: readonly string[],
  { from, to, order, size }: PageOptions,
): AsyncGenerator<readonly Commit[], void> {
  const forwards = order === 'oldest'
  let next = forwards ? from : to
  for (;;) {
    const direction = forwards ? 'forwards' : 'backwards'
    const reads = streams.map((stream) => store.read(stream, { from: next, direction, limit: size }))
    const found = new Map((await Promise.all(reads)).flat().map((commit) => [commit.position, commit]))
    const sorted = [...found.values()].sort((a, b) => (forwards ? a.position - b.position : b.position - a.position))
    const page = sorted.slice(0, size)
    const within = page.filter(({ position }) => position >= from && position <= to)
    if (within.length > 0) yield within
    const last = page.at(-1)
    if (!last || page.length < size || within.length < page.length) return
    next = forwards ? last.position + 1 : last.position - 1
  }
}
