import type { Clock, EventStore } from '../../../lib/index.ts'
import { PLANNER } from '../delivery/planner.ts'
import { terminationOfStream } from '../recording/index-streams.ts'
import { PAGE_SIZE, pagesOf } from '../recording/pages.ts'
import { BEYOND_DELIVERY_MS } from '../recording/retention-rule.ts'
import { ENDINGS } from './endings.ts'
import { type Ordered, type TerminationReason, terminationJobsStream } from './termination-events.ts'
import { newTerminationJob } from './termination-job.ts'
import { terminationWork } from './termination-work.ts'

/** An order to end sessions that is not carried out yet. */
export interface OpenTermination {
  readonly id: string
  readonly of: 'account' | 'client' | 'all'
  readonly reason: TerminationReason
  readonly actor: string
  /** When it was given, milliseconds since 1970. */
  readonly orderedAt: number
  /**
   * `waiting`: it lies in the table of work, or will when the planner has got to it. `lost`: the planner has passed it, and
   * it lies nowhere, so that nobody will carry it out. That is known of orders of the last seven days.
   */
  readonly state: 'waiting' | 'lost'
}

/** So many commits about orders are looked at, the newest: that one was given, or carried out. */
const LOOKED = 1_000

interface Found extends OpenTermination {
  readonly position: number
  readonly ordered: Ordered
}

/** What they are looked for in. */
interface Parts {
  readonly store: EventStore
  readonly issuer: string
  readonly clock: Clock
}

/** Orders of the issuer that are not carried out, the newest first; of the newest 500 or more. */
export async function openTerminations(parts: Parts): Promise<OpenTermination[]> {
  return (await find(parts)).map(({ position: _, ordered: __, ...open }) => open)
}

/**
 * Puts an order that was lost back into the table of work, from the log. The OP's processes carry it out. Twice does no
 * harm. False: it is not lost.
 */
export async function restoreTermination(parts: Parts, id: string): Promise<boolean> {
  const { store, issuer } = parts
  const found = (await find(parts)).find((one) => one.id === id)
  if (found?.state !== 'lost') return false
  await store.work(ENDINGS).add([terminationWork(newTerminationJob(id, found.position, found.ordered), issuer)])
  return true
}

async function find({ store, issuer, clock }: Parts): Promise<Found[]> {
  // Before the rows: the planner makes the row of an order before its checkpoint passes it.
  const planned = (await store.consumers.get(PLANNER))?.position ?? 0
  const completed = new Set<string>()
  const open: Found[] = []
  let looked = 0
  for await (const page of pagesOf(store, [terminationJobsStream(issuer)], { order: 'newest', size: PAGE_SIZE })) {
    for (const { at, position, events } of page) {
      for (const { stream, type, data } of events) {
        const id = terminationOfStream(stream)
        if (id === undefined) continue
        if (type === 'termination.completed') completed.add(id)
        if (type !== 'termination.ordered' || completed.has(id)) continue
        const ordered = data as unknown as Ordered
        const { target, reason, actor } = ordered
        const row = await store.work(ENDINGS).get(`job/${id}`)
        const state = position <= planned && row === undefined ? 'lost' : 'waiting'
        // Of an older one it is not known: retention may have removed what says that it was carried out.
        if (state === 'lost' && clock.now() - at >= BEYOND_DELIVERY_MS) continue
        open.push({ id, of: target.kind, reason, actor, orderedAt: at, state, position, ordered })
      }
    }
    looked += page.length
    if (looked >= LOOKED) break
  }
  return open
}
