import type { Collections } from './collections.ts'
import type { EventsDocument } from './documents.ts'
import { firstBatch } from './first-batch.ts'

/** So many positions are read at a time. */
const PAGE = 5_000

/** The mark is written again when it can be raised by so many positions. */
export const MARK_EVERY = 5_000

/** What is known of the positions of the log. */
export interface Settled {
  /** The highest position that a majority has. */
  readonly top: number
  /** Those below it that are neither a commit nor a tombstone yet: as many as were asked for, at most. */
  readonly holes: readonly number[]
  /** Whether these are all. */
  readonly isComplete: boolean
}

/** Where the log begins, and the highest position that was allocated. */
export async function boundsOf(collections: Collections): Promise<{ readonly floor: number; readonly last: number }> {
  return marksOf(collections)
}

/** Positions at or below it are retired, and are missing for good. */
export async function floorOf(collections: Collections): Promise<number> {
  return (await marksOf(collections)).floor
}

/**
 * Which positions may still be filled: nothing can appear at one that a majority has. A mark in the database remembers up
 * to where all of them were settled, so that the next one need not look at the whole log.
 */
export async function settledPositions(collections: Collections, mostHoles: number): Promise<Settled> {
  const { floor, settled } = await marksOf(collections)
  const holes: number[] = []
  let marked = settled
  let top = Math.max(floor, settled)
  for (;;) {
    const positions = await positionsBehind(collections, top)
    for (const position of positions) {
      for (let hole = top + 1; hole < position; hole++) {
        if (holes.length === mostHoles) return { top, holes, isComplete: false }
        holes.push(hole)
      }
      top = position
    }
    const contiguous = (holes[0] ?? top + 1) - 1
    if (contiguous - marked >= MARK_EVERY) {
      await raiseMark(collections, contiguous)
      marked = contiguous
    }
    if (positions.length < PAGE) return { top, holes, isComplete: true }
  }
}

async function positionsBehind(collections: Collections, position: number): Promise<number[]> {
  const { documents } = await collections.attempt((signal) =>
    firstBatch<Pick<EventsDocument, '_id'>>(
      collections,
      {
        collection: 'events',
        filter: { _id: { $gt: BigInt(position) } },
        projection: { _id: 1 },
        sort: { _id: 1 },
        limit: PAGE,
        level: 'majority',
      },
      signal,
    ),
  )
  return documents.map(({ _id }) => Number(_id))
}

async function marksOf(
  collections: Collections,
): Promise<{ readonly floor: number; readonly settled: number; readonly last: number }> {
  const projection = { n: 1, floor: 1, settled: 1 }
  const counter = await collections.attempt((signal) =>
    collections.counters.findOne({ _id: 'events' }, { projection, signal }),
  )
  const { n = 0, floor = 0, settled = 0 } = counter ?? {}
  return { floor: Number(floor), settled: Number(settled), last: Number(n) }
}

async function raiseMark(collections: Collections, settled: number): Promise<void> {
  const update = { q: { _id: 'events' }, u: { $max: { settled: BigInt(settled) } } }
  await collections.attempt((signal) => collections.update('counters', update, signal))
}
