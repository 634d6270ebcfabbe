import { randomBytes } from 'node:crypto'
import { CommitInvalidError, CommitTooLargeError } from '../errors.ts'
import { claimsOf } from './claims.ts'
import { type JsonObject, type Meta, type NewCommit, type NewEvent, streamsOf } from './commit.ts'

/** Version of what stores keep for a commit. Readers refuse a newer one. */
export const SCHEMA_VERSION: number = 1

/** The largest commit, in bytes of its JSON. */
export const COMMIT_BYTES_LIMIT: number = 8 * 1024 * 1024

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
  const events = commit.events.map(checked)
  checkVersions(events)
  const json = JSON.stringify(events)
  const claims = claimsOf(commit)
  if (!claims.every(isWellFormed)) throw new CommitInvalidError('a claim holds half a surrogate pair')
  const streams = streamsOf(events)
  const meta = metaOf(commit.meta)
  const { expiresAt } = commit
  if (expiresAt !== undefined && !(Number.isFinite(expiresAt) && expiresAt >= 0)) {
    throw new CommitInvalidError('expiresAt must be a time in milliseconds since 1970')
  }
  const bytes = Buffer.byteLength(json) + sizeOf(claims) + sizeOf(streams) + sizeOf(Object.values(meta))
  if (bytes > limit) throw new CommitTooLargeError(bytes, limit)
  return {
    id: randomBytes(12).toString('base64url'),
    events,
    streams,
    stateStreams: new Set(events.map((event) => event.stream)),
    claims,
    meta,
    ...(expiresAt !== undefined && { expiresAt }),
    bytes,
  }
}

function metaOf(meta: Meta = {}): Meta {
  const copy: Record<string, string> = {}
  for (const [name, value] of Object.entries(meta)) {
    if (!META.has(name)) throw new CommitInvalidError(`meta.${name} is not known; known are ${[...META].join(', ')}`)
    if (value === undefined) continue
    if (typeof value !== 'string' || !isWellFormed(value)) throw new CommitInvalidError(`meta.${name} must be text`)
    copy[name] = value
  }
  return copy
}

const META: ReadonlySet<string> = new Set(['instance', 'actor', 'trace'])

function sizeOf(strings: readonly string[]): number {
  return strings.reduce((sum, string) => sum + Buffer.byteLength(string), 0)
}

function checked(event: NewEvent): NewEvent {
  const { stream, also, type, version, data } = event
  if (typeof stream !== 'string' || stream === '') throw new CommitInvalidError('an event needs a stream')
  if (also !== undefined && !(Array.isArray(also) && also.every((name) => typeof name === 'string' && name !== ''))) {
    throw new CommitInvalidError(`\`also\` of an event of ${stream} must be an array of streams`)
  }
  if (typeof type !== 'string' || type === '') throw new CommitInvalidError(`an event of ${stream} needs a type`)
  if (![stream, type, ...(also ?? [])].every(isWellFormed)) {
    throw new CommitInvalidError(`the stream or type of an event of ${stream} holds half a surrogate pair`)
  }
  if (version !== undefined && (!Number.isSafeInteger(version) || version < 1)) {
    throw new CommitInvalidError(`the version of an event of ${stream} must be a whole number from 1`)
  }
  return {
    stream,
    ...(also !== undefined && also.length > 0 && { also: [...also] }),
    type,
    ...(version !== undefined && { version }),
    data: copied(data, stream),
  }
}

function copied(data: JsonObject, stream: string): JsonObject {
  let json: string | undefined
  try {
    json = JSON.stringify(data)
  } catch (cause) {
    throw new CommitInvalidError(`the data of an event of ${stream} is not JSON: cyclic, or holds a BigInt`, { cause })
  }
  const copy: unknown = json === undefined ? undefined : JSON.parse(json, (key, value) => keepable(key, value, stream))
  if (typeof copy !== 'object' || copy === null || Array.isArray(copy)) {
    throw new CommitInvalidError(`the data of an event of ${stream} must be an object`)
  }
  return copy as JsonObject
}

/** What every store can give back as it was: databases know no half characters, and no NUL in a key. */
function keepable(key: string, value: unknown, stream: string): unknown {
  if (key.includes('\0') || !isWellFormed(key)) {
    throw new CommitInvalidError(
      `the data of an event of ${stream} has a key that cannot be stored: ${JSON.stringify(key)}`,
    )
  }
  if (typeof value === 'string' && !isWellFormed(value)) {
    throw new CommitInvalidError(`the data of an event of ${stream} holds text with half a surrogate pair at "${key}"`)
  }
  return value
}

/** Whether the text is Unicode: every surrogate has its other half. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
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
