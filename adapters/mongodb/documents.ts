import type { Document } from 'mongodb'
import { CollectionUnfitError, LogForgedError, SchemaNewerError } from '../../lib/errors.ts'
import type { Commit, Event, JsonObject, Meta } from '../../lib/log/commit.ts'
import { type PreparedCommit, SCHEMA_VERSION } from '../../lib/log/prepare.ts'
import { upcast } from '../../lib/log/upcast.ts'
import type { CommitMacs } from './commit-macs.ts'

/** A position of the log: a commit, or a tombstone, which is a document of the same shape with no events. */
export interface EventsDocument {
  /** Position. The unique index on `_id` is what makes the log a log. */
  _id: number | bigint
  /** Commit id, made by the writer: tells its own commit from another's. */
  c: string
  /** Streams touched. */
  s: string[]
  /** Claims; absent when there are none, since two empty arrays would collide in the unique index. */
  k?: string[]
  /** Events. */
  e: EventDocument[]
  m: { v: number; instance?: string; actor?: string; trace?: string }
  /** Time of the append; for people. */
  at: Date
  /** Expiry of the state written; for retention. */
  x?: Date
  /** Proof that somebody who has the log's keys stored exactly this, here: see `CommitMacs`. Absent in a tombstone. */
  h?: string
}

/** An event of a commit. */
export interface EventDocument {
  s: string
  /** Further streams that the event is found by. */
  a?: string[]
  t: string
  v?: number
  d: Document
}

export interface CountersDocument {
  _id: string
  /** The highest position given out. */
  n?: number | bigint
  /** Positions at or below it may have been retired. */
  floor?: number | bigint
  /** Positions at or below it were all seen at majority, each a commit or a tombstone: nothing can appear there. */
  settled?: number | bigint
}

/** What the database remembers of itself. */
export interface SchemaDocument {
  _id: string
  version: number
  /** Fingerprints of the hashing keys it was written with. */
  hashing: string[]
  /** Fingerprints of the sealing keys that it was written with and that are not retired. */
  sealing: string[]
}

/** A stretch of the log: see `SegmentTable`. */
export interface SegmentDocument {
  _id: number
  from: number
  to: number
  tombstones: string
  contents: string
  retired: string
  retiredContents: string
  link: string
  /** Proof that a process with the log's keys has written it. */
  proof: string
}

/** The last segment that was written. */
export interface SegmentHeadDocument {
  _id: string
  number: number
  link: string
  proof: string
}

/** What retention remembers. */
export interface RetentionDocument {
  _id: string
  /** Raised by each write: who has read another one writes nothing. */
  revision: number
  state: Document
}

/** Lease and checkpoint in one document, so that a paused holder that wakes up late changes neither. */
export interface ConsumerDocument {
  _id: string
  holder?: string
  token: number
  beat: number
  position: number | bigint
}

/** A piece of work. */
export interface WorkDocument {
  _id: string
  lane: string
  dueAt: number
  deadline?: number
  since?: number
  body: Document
  state: 'waiting' | 'held' | 'done'
  holder?: string
  /** Which call of `claim` took it. */
  claim?: string
  fence: number
  doneAt?: number
}

/** A lane of a work table: see `WorkLanes`. */
export interface LaneDocument {
  _id: string
  /** No work of the lane that waits is due before. */
  dueAt: number
  /** When it had its turn last; lanes are served in this order. */
  turn: number
  /** Another one whenever work of the lane begins to wait. */
  touch: string
}

/** Something that lives, and what it is found by: see `MongoIndex`. */
export interface IndexDocument {
  _id: string
  keys: string[]
  position: number | bigint
  first: number | bigint
  expiresAt: number
}

/** Who lives: see `MongoLiveness`. */
export interface LivenessDocument {
  _id: string
  count: number
  beats: Record<string, number>
  notices: number
}

/** The key of an account: see `MongoAccountKeys`. */
export interface AccountKeyDocument {
  _id: string
  /** None: nothing more is sealed with it. */
  names: string[]
  formerNames?: string[]
  /** Absent: it was destroyed. */
  sealed?: string
  account?: string
  destroyedAt?: number
  usedAt: number
}

/** The keys that authenticate commits, wrapped: see `loadMacKeys`. */
export interface MacKeysDocument {
  _id: string
  /** The same keys, under each hashing key that the log was opened with. */
  wrapped: string[]
}

/** A commit without its position, as a document. */
export type UnplacedDocument = Omit<EventsDocument, '_id' | 'h'>

/** The commit as a document. `prepare()` has seen to it that the driver can send it. */
export function documentOf(commit: PreparedCommit, at: number): UnplacedDocument {
  return {
    c: commit.id,
    s: [...commit.streams],
    ...(commit.claims.length > 0 && { k: [...commit.claims] }),
    e: commit.events.map(({ stream, also, type, version, data }) => ({
      s: stream,
      ...(also && { a: [...also] }),
      t: type,
      ...(version !== undefined && { v: version }),
      d: data as Document,
    })),
    m: { v: SCHEMA_VERSION, ...commit.meta },
    at: new Date(at),
    ...(commit.expiresAt !== undefined && { x: new Date(commit.expiresAt) }),
  }
}

/** Gives the documents the positions from `first` on. */
export function placed(documents: readonly UnplacedDocument[], first: number, macs: CommitMacs): EventsDocument[] {
  return documents.map((document, index) => {
    const at = { _id: BigInt(first + index), ...document }
    return { ...at, h: macs.sign(at) }
  })
}

/** A position that will never hold a commit. */
export function tombstone(position: number, id: string, at: number): EventsDocument {
  return { _id: BigInt(position), c: id, s: [], e: [], m: { v: SCHEMA_VERSION }, at: new Date(at) }
}

/** Whether this is a document of a log, as far as its shape tells: others may write to the collection too. */
export function isEventsDocument(document: unknown): boolean {
  const { _id, c, s, e, m, at } = (document ?? {}) as Record<string, unknown>
  const isPosition = typeof _id === 'bigint' ? _id > 0n : Number.isSafeInteger(_id) && Number(_id) > 0
  const version = (m as { v?: unknown } | undefined)?.v
  return (
    isPosition &&
    typeof c === 'string' &&
    Array.isArray(s) &&
    Array.isArray(e) &&
    typeof version === 'number' &&
    at instanceof Date
  )
}

/** @throws CollectionUnfitError (`COLLECTION_UNFIT`) when one of them is no document of a log */
export function assertEventsDocuments(namespace: string, documents: readonly EventsDocument[]): void {
  const foreign = documents.find((document) => !isEventsDocument(document))
  if (foreign)
    throw new CollectionUnfitError(namespace, `holds a document that is no commit, with the _id ${foreign._id}`)
}

export function isTombstone(document: Pick<EventsDocument, 'e'>): boolean {
  return document.e.length === 0
}

export function isFromNewerSchema({ m }: Pick<EventsDocument, 'm'>): boolean {
  return m.v > SCHEMA_VERSION
}

/**
 * @param macs - what it is verified with; absent: this process has made it itself
 * @throws SchemaNewerError when a newer version of this package wrote it
 * @throws LogForgedError (`LOG_FORGED`) when it is not what was stored there
 */
export function commitOf(document: EventsDocument, macs?: CommitMacs): Commit {
  const { v, ...meta } = document.m
  const position = Number(document._id)
  // First: whatever a forged one says of its version.
  if (macs && !macs.isGenuine(document))
    throw new LogForgedError(`the commit at position ${position} is not what this OP stored there`)
  if (isFromNewerSchema(document)) throw new SchemaNewerError(`the commit at position ${position}`, v, SCHEMA_VERSION)
  const commit = {
    position,
    id: document.c,
    events: document.e.map(eventOf),
    meta: meta as Meta,
    at: document.at.getTime(),
    ...(document.x && { expiresAt: document.x.getTime() }),
  }
  return upcast(commit, v)
}

function eventOf({ s, a, t, v, d }: EventDocument): Event {
  return { stream: s, ...(a && { also: a }), type: t, ...(v !== undefined && { version: v }), data: d as JsonObject }
}
