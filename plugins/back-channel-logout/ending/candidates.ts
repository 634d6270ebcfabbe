import type { Commit, EventStore, IndexEntry, IndexPlace } from '../../../lib/index.ts'
import { PLANNER } from '../delivery/planner.ts'
import { LiveIndex, type LiveKind, liveKey } from './live-index.ts'

/** Which sessions or grants to look for. */
export interface Wanted {
  readonly kind: LiveKind
  /** The hashed names of an account; absent: everybody's. */
  readonly accounts?: readonly string[]
  /** Only what began before this position. */
  readonly before: number
}

/** How far the candidates were gone through. */
export type CandidatePlace =
  /** What the planner has not come to yet, down to `from`. */
  | { readonly part: 'tail'; readonly from: number; readonly before: number }
  /** What lives, by the index, under the account's name of this number. */
  | { readonly part: 'index'; readonly name: number; readonly after?: IndexPlace }
  /** What is older than the index. */
  | { readonly part: 'history'; readonly before: number }

/** So many commands a page costs at most: retention may have removed whatever was at many positions in a row. */
const MOST_READS = 16

/** Where sessions or grants may be found that live. */
export interface CandidatePage {
  /** Commits that store some, the newest first. */
  readonly commits: readonly Commit[]
  /** Entries of the index, those that began last first. */
  readonly entries: readonly IndexEntry[]
  /** Where to go on; undefined: this was the last page. */
  readonly next: CandidatePlace | undefined
}

/**
 * A page of what may live, the newest first: from the log what the planner has not come to yet; from the index what lives
 * by then; from the log again what is older than the index. Everything that lives and was stored before `before` is in
 * one of the three, and perhaps in two of them: the checkpoint is read first, and what the planner puts into the index
 * meanwhile is in both. Whoever asks looks at each.
 *
 * @param size - about so many at most; none, and `next`, where nothing is left of what was at these positions
 */
export async function candidates(
  store: EventStore,
  wanted: Wanted,
  place: CandidatePlace | undefined,
  size: number,
): Promise<CandidatePage> {
  let at: CandidatePlace | undefined = place ?? (await beginning(store, wanted))
  const commits: Commit[] = []
  const entries: IndexEntry[] = []
  for (let reads = 0; at && reads < MOST_READS && commits.length + entries.length < size; reads++) {
    const room = size - commits.length - entries.length
    if (at.part === 'index') {
      const { found, next } = await fromIndex(store, wanted, at, room)
      entries.push(...found)
      at = next
    } else {
      const from = at.part === 'tail' ? at.from : 1
      const { found, before } = await backwards(store, wanted, from, at.before, room)
      commits.push(...found)
      if (before > from) at = { ...at, before }
      else at = at.part === 'tail' ? { part: 'index', name: 0 } : undefined
    }
  }
  return { commits, entries, next: at }
}

async function beginning(store: EventStore, { before }: Wanted): Promise<CandidatePlace> {
  const planned = (await store.consumers.get(PLANNER))?.position ?? 0
  return { part: 'tail', from: Math.min(before, planned + 1), before }
}

/** What began before. What is older than the index, and was written since, is in the history as well. */
async function fromIndex(
  store: EventStore,
  { kind, accounts, before }: Wanted,
  { name, after = { first: before, id: '' } }: Extract<CandidatePlace, { part: 'index' }>,
  limit: number,
): Promise<{ found: IndexEntry[]; next: CandidatePlace | undefined }> {
  const live = new LiveIndex(store)
  // A process that has fewer hashing keys goes on with it: there is nothing more that it could find.
  const isKnown = accounts === undefined || name < accounts.length
  const found = isKnown ? await live.list(liveKey(kind, accounts?.[name]), limit, after) : []
  const last = found.at(-1)
  if (last && found.length === limit)
    return { found, next: { part: 'index', name, after: { first: last.first, id: last.id } } }
  if (name + 1 < (accounts?.length ?? 0)) return { found, next: { part: 'index', name: name + 1 } }
  const complete = await live.completeAfter()
  return { found, next: complete === 0 ? undefined : { part: 'history', before: Math.min(before, complete + 1) } }
}

/** Commits of the account's streams, or of the whole log, from below a position down to another one. */
async function backwards(
  store: EventStore,
  { accounts }: Wanted,
  from: number,
  before: number,
  limit: number,
): Promise<{ found: Commit[]; before: number }> {
  if (before <= from) return { found: [], before: from }
  if (!accounts) {
    // Positions are dense: so many of them hold no more commits.
    const first = Math.max(from, before - limit)
    const page = await store.readAll({ after: first - 1, limit: before - first })
    return { found: page.filter(({ position }) => position < before).reverse(), before: first }
  }
  const page = await store.readStreams(accounts, { from: before - 1, direction: 'backwards', limit })
  const found = page.filter(({ position }) => position >= from)
  const isLast = page.length < limit || found.length < page.length
  return { found, before: isLast ? from : Number(found.at(-1)?.position) }
}
