import type { Document } from 'mongodb'
import { CollectionUnfitError, StoreUnavailableError } from '../../lib/errors.ts'
import type { Collections } from './collections.ts'
import { codeOf } from './outcome.ts'
import { type AskWith, adviceToPrepare, needing, prepareCommand } from './rights.ts'
import { WRITE_CONCERN } from './settings.ts'
import { CommandTimeoutError } from './with-timeout.ts'

/** An index of a collection of the log. */
export interface LogIndex {
  readonly key: Readonly<Record<string, 1 | -1>>
  readonly name: string
  readonly unique?: true
  /** Partial, not sparse: the Stable API knows no sparse indexes, and its queries ignore them. */
  readonly partialFilterExpression?: Document
}

/** An index under the name that the driver would give it. */
export function indexOn(key: LogIndex['key'], more: Pick<LogIndex, 'partialFilterExpression'> = {}): LogIndex {
  return { key, name: Object.entries(key).flat().join('_'), ...more }
}

/** The index by which a stream is read. */
export const STREAMS_INDEX: LogIndex = { key: { s: 1, _id: -1 }, name: 'streams' }

/** The index by which no two commits hold the same claim. */
export const CLAIMS_INDEX: LogIndex = {
  key: { k: 1 },
  name: 'claims',
  unique: true,
  partialFilterExpression: { k: { $exists: true } },
}

/** IndexOptionsConflict and IndexKeySpecsConflict. */
const INDEX_CONFLICTS: ReadonlySet<number | undefined> = new Set([85, 86])

/** BadValue and NoQueryExecutionPlans: the planner's answers to a hint on an index that it does not have. */
const HINT_REFUSED: ReadonlySet<number | undefined> = new Set([2, 291])

/** What tells two indexes apart. */
const COMPARED = ['key', 'unique', 'sparse', 'partialFilterExpression', 'collation', 'expireAfterSeconds'] as const

/** Whether an index that is there, as the server lists it, is the one that is wanted, whatever its name. */
export function isIndex(wanted: LogIndex, found: Document): boolean {
  return COMPARED.every((option) => isSame((wanted as Document)[option], found[option]))
}

/**
 * Makes those indexes of a collection that are missing. Where none is, the database user needs no right to make any.
 *
 * @param found - those that are there, as the server lists them
 * @throws CollectionUnfitError (`COLLECTION_UNFIT`) when others of the same name or keys are there
 * @throws StoreRefusedError (`STORE_REFUSED`) when this user may not make them
 * @throws StoreUnavailableError (`STORE_UNAVAILABLE`) when that takes longer than `ask` waits: the server goes on
 */
export async function makeIndexes(
  collections: Collections,
  name: string,
  wanted: readonly LogIndex[],
  found: readonly Document[],
  ask: AskWith,
): Promise<void> {
  const indexes = wanted.filter((each) => !found.some((other) => other['name'] === each.name && isIndex(each, other)))
  if (indexes.length === 0) return
  const namespace = collections.namespace(name)
  const body = { createIndexes: collections.name(name), indexes, writeConcern: WRITE_CONCERN }
  try {
    const make = (): Promise<unknown> => ask((signal) => collections.command(body, { signal }))
    await needing('createIndex', namespace, make, adviceToPrepare(subject(indexes), collections.prefix))
  } catch (cause) {
    if (cause instanceof CommandTimeoutError) throw beingBuilt(collections, name, indexes, cause)
    if (!INDEX_CONFLICTS.has(codeOf(cause))) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CollectionUnfitError(namespace, `has an index that is at odds with one of the log's (${why})`, { cause })
  }
}

/**
 * Asserts that the indexes of the log are complete. The server lists an index as soon as its build begins, and the build
 * goes on when the client that asked for it is gone. Until it ends a unique index refuses nothing for good. The planner
 * knows complete indexes only, so that a hint on any other one is an error. It takes no right but to find.
 *
 * @throws StoreUnavailableError (`STORE_UNAVAILABLE`) that names an index that is being built
 */
export async function assertIndexesBuilt(collections: Collections, ask: AskWith): Promise<void> {
  const namespace = collections.namespace('events')
  for (const { name, partialFilterExpression: filter = {} } of [CLAIMS_INDEX, STREAMS_INDEX]) {
    const options = { hint: name, projection: { _id: 1 } }
    try {
      await needing('find', namespace, () =>
        ask((signal) => collections.events.findOne(filter, { ...options, signal })),
      )
    } catch (cause) {
      if (!HINT_REFUSED.has(codeOf(cause))) throw cause
      throw beingBuilt(collections, 'events', [{ name }], cause)
    }
  }
}

function beingBuilt(
  collections: Collections,
  collection: string,
  indexes: readonly Pick<LogIndex, 'name'>[],
  cause: unknown,
): StoreUnavailableError {
  const { prefix } = collections
  const which = `${subject(indexes)} still being built on ${collections.namespace(collection)}`
  const what = `${which}: wait until that is done and open again, or run \`${prepareCommand(prefix)}\`, which waits`
  return new StoreUnavailableError(what, { cause })
}

/** Indexes as the subject of a sentence, with its verb. */
function subject(indexes: readonly Pick<LogIndex, 'name'>[]): string {
  const names = indexes.map(({ name }) => `"${name}"`).join(', ')
  return indexes.length === 1 ? `the index ${names} is` : `the indexes ${names} are`
}

export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null)
}
