import type { FindCursor, FindOptions } from 'mongodb'

/** What the server has answered at once: at most 16 MB. */
export interface FirstBatch<T> {
  readonly documents: readonly T[]
  /** Whether this is all that there is, up to the limit. */
  readonly isComplete: boolean
}

/** How one page of a query is asked for. */
export type PageOptions = Pick<FindOptions, 'limit' | 'batchSize'> & { readonly signal: AbortSignal }

/**
 * Reads no further than the first answer, whose size the server bounds: who wants more asks for what lies behind the
 * last document. The driver passes no signal on when it asks a cursor for more, so that a silent connection would be kept.
 */
export async function firstBatch<T>(
  signal: AbortSignal,
  limit: number,
  query: (options: PageOptions) => FindCursor<T>,
): Promise<FirstBatch<T>> {
  // One more than the limit, or the server would keep the cursor open.
  const cursor = query({ limit, batchSize: limit + 1, signal })
  if (!(await cursor.hasNext())) return { documents: [], isComplete: true }
  const documents = cursor.readBufferedDocuments()
  const isComplete = cursor.id?.isZero() ?? true
  if (!isComplete) void cursor.close().catch(() => undefined)
  return { documents, isComplete }
}
