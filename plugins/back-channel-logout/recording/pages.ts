import type { Commit, EventStore } from '../../../lib/index.ts'

/** How many commits are held at a time. */
export const PAGE_SIZE: number = 100

/** In which order the log is gone through. */
export type Order = 'oldest' | 'newest'

/** Which part of some streams to read, and how. */
export interface PageOptions {
  /** The first position that counts. */
  readonly from?: number
  /** The last one. */
  readonly to?: number
  readonly order: Order
  readonly size: number
}

/** The commits that name any of the streams, each once, a page and a command at a time; for streams that may be long. */
export async function* pagesOf(
  store: EventStore,
  streams: readonly string[],
  { from = 1, to = Number.POSITIVE_INFINITY, order, size }: PageOptions,
): AsyncGenerator<readonly Commit[], void> {
  const direction = order === 'oldest' ? 'forwards' : 'backwards'
  let next = order === 'oldest' ? from : to
  for (;;) {
    const range = next === Number.POSITIVE_INFINITY ? {} : { from: next }
    const page = await store.readStreams(streams, { ...range, direction, limit: size })
    const within = page.filter(({ position }) => position >= from && position <= to)
    if (within.length > 0) yield within
    const last = page.at(-1)
    if (!last || page.length < size || within.length < page.length) return
    next = order === 'oldest' ? last.position + 1 : last.position - 1
  }
}
