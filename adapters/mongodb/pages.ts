import type { Document } from 'mongodb'
import type { Commit } from '../../lib/log/commit.ts'
import type { ReadOptions } from '../../lib/log/event-store.ts'
import type { LogEntry } from '../../lib/log/log-entry.ts'
import type { Collections } from './collections.ts'
import type { CommitMacs } from './commit-macs.ts'
import {
  assertEventsDocuments,
  commitOf,
  type EventsDocument,
  isEventsDocument,
  isFromNewerSchema,
  isTombstone,
} from './documents.ts'
import { type FirstBatch, firstBatch } from './first-batch.ts'
import type { Positions } from './positions.ts'
import { DOCUMENTS_AT_ONCE } from './settings.ts'

/** Reads see every acknowledged write: a fresh primary's majority snapshot may lag behind. */
const EVENTS = { collection: 'events', level: 'local' } as const

/** The direction of a sort: the oldest first, or the newest. */
type Order = 1 | -1

/** Reads the log by pages: each answer of the server is bounded. */
export class Pages {
  readonly #collections: Collections
  readonly #positions: Positions

  constructor(collections: Collections, positions: Positions) {
    this.#collections = collections
    this.#positions = positions
  }

  /**
   * The commits that name any of the streams, in the order of the log; all commits without `streams`. Each page begins
   * behind the last document of the one before. Tombstones count for the pages, and are left out: a page has room for as
   * many of them as were met before.
   */
  async commits(
    { from, direction = 'forwards', limit = Number.POSITIVE_INFINITY }: ReadOptions,
    streams?: readonly string[],
  ): Promise<Commit[]> {
    const found: Commit[] = []
    const order = direction === 'forwards' ? 1 : -1
    const filter = streams ? inStreams(streams) : {}
    let start = from
    for (let tombstones = 0; found.length < limit; ) {
      const range = start === undefined ? {} : { _id: { [order === 1 ? '$gte' : '$lte']: BigInt(start) } }
      const left = limit - found.length
      const most = Math.min(left + tombstones, DOCUMENTS_AT_ONCE)
      const page = await this.documents({ ...filter, ...range }, order, most)
      const documents = page.documents.filter((document) => !isTombstone(document))
      tombstones += page.documents.length - documents.length
      found.push(...documents.slice(0, left).map((document) => commitOf(document, this.#collections.macs)))
      const last = page.documents.at(-1)
      if (!last || (page.isComplete && page.documents.length < most)) return found
      start = Number(last._id) + order
    }
    return found
  }

  /** What is at the positions behind this one, whatever it is. */
  async entries(after: number, limit: number): Promise<LogEntry[]> {
    const { macs } = this.#collections
    const found: LogEntry[] = []
    for (let from = after; found.length < limit; ) {
      const most = Math.min(limit - found.length, DOCUMENTS_AT_ONCE)
      const query = {
        collection: 'events',
        filter: { _id: { $gt: BigInt(from) } },
        sort: { _id: 1 },
        limit: most,
      } as const
      const page = await this.#collections.withTimeout((signal) =>
        firstBatch<EventsDocument>(this.#collections, { ...query, level: 'majority' }, signal),
      )
      found.push(...page.documents.map((document) => entryOf(document, macs)))
      const last = page.documents.at(-1)
      if (!last || (page.isComplete && page.documents.length < most)) return found
      from = Number(last._id)
    }
    return found
  }

  /** One page: with one command. */
  async documents(filter: Document, order: Order, limit: number): Promise<FirstBatch<EventsDocument>> {
    const page = await this.#collections.withTimeout((signal) =>
      firstBatch<EventsDocument>(this.#collections, { ...EVENTS, filter, sort: { _id: order }, limit }, signal),
    )
    assertEventsDocuments(this.#collections.namespace('events'), page.documents)
    for (const { _id } of page.documents) this.#positions.see(Number(_id))
    return page
  }
}

/** The filter of a query for commits that name any of the streams. */
export function inStreams(streams: readonly string[]): Document {
  const [only] = streams
  return { s: streams.length === 1 && only !== undefined ? only : { $in: [...streams] } }
}

/** What others may have written to the collection is as good as forged. */
function entryOf(document: EventsDocument, macs: CommitMacs): LogEntry {
  const position = Number(document._id)
  if (!isEventsDocument(document)) return { kind: 'forged', position }
  if (isTombstone(document)) return { kind: 'tombstone', position }
  if (!macs.isGenuine(document)) return { kind: 'forged', position }
  if (isFromNewerSchema(document)) return { kind: 'newer', position, id: document.c }
  return { kind: 'commit', position, commit: commitOf(document), streams: document.s, claims: document.k ?? [] }
}
