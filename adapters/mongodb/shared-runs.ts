import { onNextTurn } from '../../lib/clock.ts'
import type { Collections } from './collections.ts'
import { assertEventsDocuments, type EventsDocument } from './documents.ts'
import { firstBatch } from './first-batch.ts'

/** At most so many positions are read at a time. */
const BATCH = 500

/** So many runs are kept for those who come a little later: each is one answer of the server, of 16 MB at most. */
const KEPT_RUNS = 2

/** So many commits of this process are kept for those who follow the log, and so many bytes of them, about. */
const OWN = { commits: 500, bytes: 4 * 1024 * 1024 }

/** What lies behind a position. */
export interface Run {
  /** The contiguous positions behind it, each a commit or a tombstone, that no fail-over can undo. */
  readonly delivered: readonly EventsDocument[]
  /** The first position beyond a hole, if there is one. */
  readonly nextSeen: number | undefined
  /** Whether all of it was appended by this process, and nobody asked the database. */
  readonly isOwn?: true
}

/**
 * Reads the log for all subscriptions of a process, once: those that want the same in the same turn of the event loop
 * share an answer, and the last ones are kept for those that are slower.
 */
export class SharedRuns {
  readonly #collections: Collections
  readonly #joining = new Map<number, Promise<Run>>()
  /** Answers that are on their way. */
  readonly #reading = new Map<number, Promise<Run>>()
  /** The positions behind which they begin, and what was read. Those used last come last. */
  readonly #kept = new Map<number, readonly EventsDocument[]>()
  /** What this process has appended of late, by position: acknowledged by a majority, so that nobody need read it. */
  readonly #own = new Map<number, { readonly document: EventsDocument; readonly bytes: number }>()
  #ownBytes = 0
  /** The log reaches to here at least, as far as is known. */
  #last = 0

  constructor(collections: Collections) {
    this.#collections = collections
  }

  /** The log is known to reach to this position. */
  reachTo(position: number): void {
    this.#last = Math.max(this.#last, position)
  }

  /** A commit of this process was acknowledged. */
  appended(document: EventsDocument, bytes: number): void {
    this.#own.set(Number(document._id), { document, bytes })
    this.#ownBytes += bytes
    for (const [position, { bytes: freed }] of this.#own) {
      if (this.#own.size <= OWN.commits && this.#ownBytes <= OWN.bytes) return
      this.#own.delete(position)
      this.#ownBytes -= freed
    }
  }

  /** Whether this process has appended what is at the position, of late. */
  isOwn(position: number): boolean {
    return this.#own.has(position)
  }

  /** What lies behind the position now: nothing that was appended before is missing, unless a hole is before it. */
  behind(position: number): Promise<Run> {
    const known = this.#ownBehind(position) ?? this.#keptBehind(position)
    if (known) return Promise.resolve(known)
    const joined = this.#joining.get(position) ?? this.#join(position)
    this.#joining.set(position, joined)
    return joined
  }

  async #join(position: number): Promise<Run> {
    const before = this.#reading.get(position)
    await new Promise<void>((resolve) => onNextTurn(resolve))
    this.#joining.delete(position)
    // An answer that is on its way already may know nothing of what was appended since: it counts if it has something.
    const answered = await before?.catch(() => undefined)
    if (answered && answered.delivered.length > 0) return answered
    const reading = this.#reading.get(position) ?? this.#read(position)
    this.#reading.set(position, reading)
    const forget = (): unknown => this.#reading.get(position) === reading && this.#reading.delete(position)
    reading.then(forget, forget)
    return reading
  }

  async #read(position: number): Promise<Run> {
    // Where there is most likely a full run it is asked for: not every server is quick with a range that has no end.
    const isLikely = position + BATCH <= this.#last || this.#isBehindFullRun(position)
    const likely = isLikely ? await this.#runOf(position, position + BATCH) : undefined
    const run = likely?.delivered.length === BATCH ? likely : await this.#runOf(position)
    if (run.delivered.length > 0) this.#keep(position, run.delivered)
    return run
  }

  async #runOf(position: number, last?: number): Promise<Run> {
    const range = { $gt: BigInt(position), ...(last !== undefined && { $lte: BigInt(last) }) }
    const query = {
      collection: 'events',
      filter: { _id: range },
      sort: { _id: 1 },
      limit: BATCH,
      level: 'majority',
    } as const
    const { documents } = await this.#collections.attempt((signal) =>
      firstBatch<EventsDocument>(this.#collections, query, signal),
    )
    assertEventsDocuments(this.#collections.namespace('events'), documents)
    let length = 0
    while (length < documents.length && Number(documents[length]?._id) === position + 1 + length) length++
    const next = documents[length]
    return { delivered: documents.slice(0, length), nextSeen: next && Number(next._id) }
  }

  /** The commits that retention has left behind a position and up to another one, at or below the log's beginning. */
  async left(
    position: number,
    floor: number,
  ): Promise<{ readonly documents: readonly EventsDocument[]; readonly end: number }> {
    const query = {
      collection: 'events',
      filter: { _id: { $gt: BigInt(position), $lte: BigInt(floor) } },
      sort: { _id: 1 },
      limit: BATCH,
      level: 'majority',
    } as const
    const { documents, isComplete } = await this.#collections.attempt((signal) =>
      firstBatch<EventsDocument>(this.#collections, query, signal),
    )
    assertEventsDocuments(this.#collections.namespace('events'), documents)
    const isLast = isComplete && documents.length < BATCH
    return { documents, end: isLast ? floor : Number(documents.at(-1)?._id ?? floor) }
  }

  #isBehindFullRun(position: number): boolean {
    for (const [start, { length }] of this.#kept) if (length === BATCH && start + length === position) return true
    return false
  }

  #ownBehind(position: number): Run | undefined {
    const delivered: EventsDocument[] = []
    for (let own = this.#own.get(position + 1); own; own = this.#own.get(position + 1 + delivered.length))
      delivered.push(own.document)
    return delivered.length > 0 ? { delivered, nextSeen: undefined, isOwn: true } : undefined
  }

  #keptBehind(position: number): Run | undefined {
    for (const [start, delivered] of this.#kept) {
      if (start > position || position >= start + delivered.length) continue
      this.#keep(start, delivered)
      return { delivered: delivered.slice(position - start), nextSeen: undefined }
    }
    return undefined
  }

  #keep(start: number, delivered: readonly EventsDocument[]): void {
    this.#kept.delete(start)
    this.#kept.set(start, delivered)
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_RUNS) return
      this.#kept.delete(oldest)
    }
  }
}
