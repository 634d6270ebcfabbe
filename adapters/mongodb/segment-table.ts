import type { FoundSegment, Segment, SegmentHead, SegmentTable } from '../../lib/log/segment-table.ts'
import type { Collections } from './collections.ts'
import type { SegmentDocument } from './documents.ts'
import { isDuplicate } from './outcome.ts'
import type { Table } from './table.ts'

/** The chain of segments on MongoDB: each with a proof that a process with the log's keys has written it. */
export class MongoSegments implements SegmentTable {
  readonly #collections: Collections

  constructor(collections: Collections) {
    this.#collections = collections
  }

  async list({ from, limit }: { readonly from: number; readonly limit: number }): Promise<FoundSegment[]> {
    const found = await this.#table
      .find({ _id: { $gte: from } })
      .sort({ _id: 1 })
      .limit(limit)
      .toArray()
    return found.map((document) => this.#segmentOf(document))
  }

  async last(): Promise<FoundSegment | undefined> {
    const [found] = await this.#table.find({}).sort({ _id: -1 }).limit(1).toArray()
    return found && this.#segmentOf(found)
  }

  async add(segment: Segment): Promise<void> {
    const { number, ...rest } = segment
    const insert = { ...rest, proof: this.#collections.macs.prove(textOf(segment)) }
    try {
      await this.#table.updateOne({ _id: number }, { $setOnInsert: insert }, { upsert: true })
    } catch (error) {
      if (!isDuplicate(error)) throw error // another process was faster, and has written the same
    }
  }

  async retire(segment: FoundSegment, removed: Pick<Segment, 'retired' | 'retiredContents'>): Promise<boolean> {
    const { retired, retiredContents } = removed
    const proof = this.#collections.macs.prove(textOf({ ...segment, retired, retiredContents }))
    const as = { _id: segment.number, proof: segment.proof }
    const { matchedCount } = await this.#table.updateOne(as, { $set: { retired, retiredContents, proof } })
    return matchedCount === 1
  }

  async head(): Promise<SegmentHead | 'forged' | undefined> {
    const found = await this.#collections.withTimeout((signal) =>
      this.#collections.segmentHead.findOne({ _id: HEAD }, { signal }),
    )
    if (!found) return undefined
    const head = { number: found.number, link: found.link }
    return this.#collections.macs.isProof(headText(head), found.proof) ? head : 'forged'
  }

  async setHead(head: SegmentHead): Promise<void> {
    const proof = this.#collections.macs.prove(headText(head))
    const update = { q: { _id: HEAD }, u: { $set: { ...head, proof } }, upsert: true }
    await this.#collections.withTimeout((signal) => this.#collections.update('counters', update, signal))
  }

  #segmentOf({ _id, proof, ...rest }: SegmentDocument): FoundSegment {
    const segment = { number: _id, ...rest }
    return { ...segment, proof, isGenuine: this.#collections.macs.isProof(textOf(segment), proof) }
  }

  get #table(): Table<SegmentDocument> {
    return this.#collections.segments
  }
}

const HEAD = 'segments'

function headText({ number, link }: SegmentHead): string {
  return JSON.stringify(['head', number, link])
}

function textOf({ number, from, to, tombstones, contents, retired, retiredContents, link }: Segment): string {
  return JSON.stringify(['segment', number, from, to, tombstones, contents, retired, retiredContents, link])
}
