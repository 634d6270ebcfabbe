import type { EventStore } from '../log/event-store.ts'
import type { Anchor } from './anchor.ts'
import type { Fault } from './fault.ts'
import { idOf } from './segments.ts'

/** What is there of what an anchor says. */
type Kept = 'same' | 'missing' | 'other'

/** What an anchor says that the log does not hold any more. Undefined: it holds it. */
export async function faultOfAnchor(store: EventStore, anchor: Anchor): Promise<Fault | undefined> {
  const { log, at, segment, last } = anchor
  const called = `the anchor of ${new Date(at).toISOString()}`
  if (log !== store.logId) {
    const what = `${called} is of another log: this database takes its place`
    return { code: 'ANCHOR_FOREIGN', position: last?.position ?? 0, what }
  }
  const inChain = await segmentOf(store, anchor)
  if (segment && inChain !== 'same') {
    return putBack(inChain, segment.to, {
      missing: `${called} knows segment ${segment.number} of the log, which is not there`,
      other: `${called} knows another log up to position ${segment.to}`,
    })
  }
  const atLast = await lastOf(store, anchor)
  if (last && atLast !== 'same') {
    return putBack(atLast, last.position, {
      missing: `${called} knows the log up to there`,
      other: `${called} knows another commit there`,
    })
  }
  return undefined
}

function putBack(kept: 'missing' | 'other', position: number, what: Record<'missing' | 'other', string>): Fault {
  return kept === 'missing'
    ? { code: 'ANCHOR_AHEAD', position, what: `${what.missing}: the database was put back to an earlier day` }
    : { code: 'ANCHOR_DIFFERS', position, what: `${what.other}: the database was put back, and went on from there` }
}

/** Segments stay, whatever retention removes. */
async function segmentOf(store: EventStore, { segment }: Anchor): Promise<Kept> {
  if (!segment) return 'same'
  const [found] = (await store.segments?.list({ from: segment.number, limit: 1 })) ?? []
  if (!found) return 'missing'
  return found.number === segment.number && found.link === segment.link ? 'same' : 'other'
}

/** A commit that is not there any more may have been removed by retention: if not, that was found before. */
async function lastOf(store: EventStore, { last }: Anchor): Promise<Kept> {
  if (!last) return 'same'
  const { position, commit: id } = last
  // Not the end that the run began with: the anchor may be newer.
  if (position > (await store.end())) return 'missing'
  const [entry] = await store.entries({ after: position - 1, limit: 1 })
  if (entry?.position !== position) return 'same'
  if (entry.kind === 'tombstone') return 'other'
  return entry.kind === 'forged' || idOf(entry) === id ? 'same' : 'other'
}
