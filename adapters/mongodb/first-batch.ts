import type { Document } from 'mongodb'
import type { Collections } from './collections.ts'

/** What the server has answered at once: at most 16 MB. */
export interface FirstBatch<T> {
  readonly documents: readonly T[]
  /** Whether this is all that there is, up to the limit. */
  readonly isComplete: boolean
}

/** A query of one collection. */
export interface PageQuery {
  /** Without the prefix of the log. */
  readonly collection: string
  readonly filter: Document
  /** Default: whole documents. */
  readonly projection?: Document
  readonly sort: Readonly<Record<string, 1 | -1>>
  readonly limit: number
  /** `local` sees every acknowledged write; `majority` only what no fail-over can undo. */
  readonly level: 'local' | 'majority'
}

/**
 * Reads no further than the first answer, whose size the server bounds: who wants more asks for what lies behind the
 * last document. As a command of the server's, since a cursor of the driver costs more than its query, and passes no
 * signal on when it asks for more, so that a silent connection would be kept.
 */
export async function firstBatch<T>(
  collections: Collections,
  { collection, filter, projection, sort, limit, level }: PageQuery,
  signal: AbortSignal,
): Promise<FirstBatch<T>> {
  const find = collections.name(collection)
  // One more than the limit, or the server would keep the cursor open.
  const what = { filter, ...(projection && { projection }), sort, limit, batchSize: limit + 1 }
  const body = { find, ...what, readConcern: { level } }
  // A cursor's id has 64 bits, and must be given back as it is.
  const { cursor } = await collections.command(body, { signal, useBigInt64: true })
  const { id, firstBatch } = cursor as { readonly id: unknown; readonly firstBatch: T[] }
  const isComplete = Number(id) === 0
  if (!isComplete) forget(collections, find, id)
  return { documents: firstBatch, isComplete }
}

/** The server keeps a cursor for ten minutes otherwise. */
function forget(collections: Collections, killCursors: string, id: unknown): void {
  const body = { killCursors, cursors: [id] }
  void collections.attempt((signal) => collections.command(body, { signal })).catch(() => undefined)
}
