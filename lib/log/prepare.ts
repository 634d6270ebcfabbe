import { CommitInvalidError, CommitTooLargeError } from '../errors.ts'
import { nonce } from '../secrets/nonce.ts'
import { claimsOf } from './claims.ts'
import { type Meta, type NewCommit, type NewEvent, streamsOf } from './commit.ts'
import { copyJson, type JsonCopy } from './json-copy.ts'

/** Version of what stores keep for a commit. Readers refuse a newer one. */
export const SCHEMA_VERSION: number = 1

/** The largest commit, in bytes of its BSON, whichever store keeps it: what one takes the others take too. */
export const COMMIT_BYTES_LIMIT: number = 8 * 1024 * 1024

/** The last moment that a Date can hold, in milliseconds since 1970 (ECMA-262, "Time Values and Time Range"). */
export const LATEST_TIME: number = 8.64e15

/** What a commit and each of its events and names take beside their content, at most. */
const COMMIT_OVERHEAD_BYTES = 256
const EVENT_OVERHEAD_BYTES = 96
const NAME_OVERHEAD_BYTES = 16

/** A commit that was checked and is ready to be stored; knows everything but its position. */
export interface PreparedCommit {
  readonly id: string
  readonly events: readonly NewEvent[]
  readonly streams: readonly string[]
  /** The streams whose state it writes: their appends must not overtake each other within a process. */
  readonly stateStreams: ReadonlySet<string>
  readonly claims: readonly string[]
  readonly meta: Meta
  readonly expiresAt?: number
  /** Whether one of its versions needs a predecessor. */
  readonly isVersioned: boolean
  /** What it takes at most as BSON, in bytes. */
  readonly bytes: number
}

/**
 * Checks a commit and takes a copy of it that no caller can change any more. Called in `append()`, before anything is
 * queued: a commit that cannot be sent must not block those behind it.
 *
 * @throws CommitInvalidError (`COMMIT_INVALID`), CommitTooLargeError (`COMMIT_TOO_LARGE`)
 */
export function prepare(commit: NewCommit, limit: number = COMMIT_BYTES_LIMIT): PreparedCommit {
  if (!Array.isArray(commit.events) || commit.events.length === 0) {
    throw new CommitInvalidError('a commit needs at least one event')
  }
  let bytes = COMMIT_OVERHEAD_BYTES
  const events = commit.events.map((event) => {
    const { copy, dataBytes } = checked(event)
    bytes += EVENT_OVERHEAD_BYTES + dataBytes + sizeOf([copy.stream, copy.type, ...(copy.also ?? [])])
    return copy
  })
  checkVersions(events)
  const claims = claimsOf(commit)
  if (!claims.every((claim) => claim.isWellFormed()))
    throw new CommitInvalidError('a claim holds half a surrogate pair')
  const streams = streamsOf(events)
  const meta = metaOf(commit.meta)
  const { expiresAt } = commit
  if (expiresAt !== undefined && !(Number.isFinite(expiresAt) && expiresAt >= 0 && expiresAt <= LATEST_TIME)) {
    throw new CommitInvalidError('expiresAt must be a time in milliseconds since 1970, that a Date can hold')
  }
  bytes += sizeOf(claims) + sizeOf(streams) + sizeOf(Object.values(meta))
  if (bytes > limit) throw new CommitTooLargeError(bytes, limit)
  return {
    id: nonce(12).toString('base64url'),
    events,
    streams,
    stateStreams: new Set(events.map((event) => event.stream)),
    claims,
    meta,
    ...(expiresAt !== undefined && { expiresAt }),
    isVersioned: events.some(({ version = 1 }) => version > 1),
    bytes,
  }
}

function metaOf(meta: Meta = {}): Meta {
  const copy: Record<string, string> = {}
  for (const [name, value] of Object.entries(meta)) {
    if (!META.has(name)) throw new CommitInvalidError(`meta.${name} is not known; known are ${[...META].join(', ')}`)
    if (value === undefined) continue
    if (typeof value !== 'string' || !value.isWellFormed()) throw new CommitInvalidError(`meta.${name} must be text`)
    copy[name] = value
  }
  return copy
}

const META: ReadonlySet<string> = new Set(['instance', 'actor', 'trace'])

function sizeOf(strings: readonly string[]): number {
  return strings.reduce((sum, string) => sum + NAME_OVERHEAD_BYTES + Buffer.byteLength(string), 0)
}

function checked(event: NewEvent): { copy: NewEvent; dataBytes: number } {
  const { stream, also, type, version, data } = event
  if (typeof stream !== 'string' || stream === '') throw new CommitInvalidError('an event needs a stream')
  if (also !== undefined && !(Array.isArray(also) && also.every((name) => typeof name === 'string' && name !== ''))) {
    throw new CommitInvalidError(`\`also\` of an event of ${stream} must be an array of streams`)
  }
  if (typeof type !== 'string' || type === '') throw new CommitInvalidError(`an event of ${stream} needs a type`)
  if (!stream.isWellFormed() || !type.isWellFormed() || !(also ?? []).every((name) => name.isWellFormed())) {
    throw new CommitInvalidError(`the stream or type of an event of ${stream} holds half a surrogate pair`)
  }
  if (version !== undefined && (!Number.isSafeInteger(version) || version < 1)) {
    throw new CommitInvalidError(`the version of an event of ${stream} must be a whole number from 1`)
  }
  const { copy, bytes } = copied(data, stream)
  return {
    copy: {
      stream,
      ...(also !== undefined && also.length > 0 && { also: [...also] }),
      type,
      ...(version !== undefined && { version }),
      data: copy,
    },
    dataBytes: bytes,
  }
}

function copied(data: unknown, stream: string): JsonCopy {
  const refused = (what: string, cause?: unknown): CommitInvalidError =>
    new CommitInvalidError(`the data of an event of ${stream} ${what}`, { cause })
  try {
    return copyJson(data, (what) => {
      throw refused(what)
    })
  } catch (error) {
    throw error instanceof CommitInvalidError ? error : refused('cannot be read', error)
  }
}

/** Within one commit the versions of a stream follow each other. */
function checkVersions(events: readonly NewEvent[]): void {
  const last = new Map<string, number>()
  for (const { stream, version } of events) {
    if (version === undefined) continue
    const before = last.get(stream)
    if (before !== undefined && version !== before + 1) {
      throw new CommitInvalidError(`versions of ${stream} must follow each other: ${version} came after ${before}`)
    }
    last.set(stream, version)
  }
}

/** The lowest version that a commit writes of each versioned stream: its predecessor must exist, so that none is left out. */
export function firstVersions(events: readonly NewEvent[]): Map<string, number> {
  const first = new Map<string, number>()
  for (const { stream, version } of events) {
    if (version !== undefined && !first.has(stream)) first.set(stream, version)
  }
  return first
}
