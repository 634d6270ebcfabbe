import type { AccountKeys, Clock, EventStore, NewWork } from '../../../lib/index.ts'
import { PLANNER } from '../delivery/planner.ts'
import { terminationOfStream } from '../recording/index-streams.ts'
import { PAGE_SIZE, pagesOf } from '../recording/pages.ts'
import { BEYOND_DELIVERY_MS } from '../recording/retention-rule.ts'
import { ENDINGS } from './endings.ts'
import { type Ordered, type OrderReason, terminationJobsStream } from './termination-events.ts'
import { terminationJobsIn } from './termination-work.ts'

/** An order to end sessions that is not carried out yet. */
export interface OpenTermination {
  readonly id: string
  readonly of: 'account' | 'client' | 'all'
  readonly reason: OrderReason
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
  /** Of one that is lost: its work. */
  readonly work: readonly NewWork[]
}

/** What they are looked for in. */
interface Parts {
  readonly store: EventStore
  readonly accountKeys: AccountKeys
  readonly issuer: string
  readonly clock: Clock
}

/** Orders of the issuer that are not carried out, the newest first; of the newest 500 or more. */
export async function openTerminations(parts: Parts): Promise<OpenTermination[]> {
  return (await find(parts)).map(({ work: _, ...open }) => open)
}

/**
 * Puts an order that was lost back into the table of work, from the log. The OP's processes carry it out. Twice does no
 * harm. False: it is not lost.
 */
export async function restoreTermination(parts: Parts, id: string): Promise<boolean> {
  const { store } = parts
  const [found] = await find(parts, id)
  if (found?.state !== 'lost') return false
  await store.work(ENDINGS).add([...found.work])
  return true
}

/** @param only - the one that is looked for. Default: all */
async function find({ store, accountKeys, issuer, clock }: Parts, only?: string): Promise<Found[]> {
  // Before the rows: the planner makes the row of an order before its checkpoint passes it.
  const planned = (await store.consumers.get(PLANNER))?.position ?? 0
  const completed = new Set<string>()
  const open: Found[] = []
  let looked = 0
  for await (const page of pagesOf(store, [terminationJobsStream(issuer)], { order: 'newest', size: PAGE_SIZE })) {
    for (const commit of page) {
      const { at, position } = commit
      for (const { stream, type, data } of commit.events) {
        const id = terminationOfStream(stream)
        if (id === undefined || (only !== undefined && id !== only)) continue
        if (type === 'termination.completed') completed.add(id)
        if (type !== 'termination.ordered' || completed.has(id)) continue
        const { target, reason, actor } = data as unknown as Ordered
        const row = await store.work(ENDINGS).get(`job/${id}`)
        const state = position <= planned && row === undefined ? 'lost' : 'waiting'
        // Of an older one it is not known: retention may have removed what says that it was carried out.
        if (state === 'lost' && clock.now() - at >= BEYOND_DELIVERY_MS) continue
        const jobs = state === 'lost' ? await terminationJobsIn(accountKeys, commit) : []
        const work = jobs.filter((job) => job.id === `job/${id}`)
        if (state === 'lost' && work.length === 0) continue // its account was forgotten, for which its sessions had to end
        open.push({ id, of: target.kind, reason, actor, orderedAt: at, state, work })
      }
    }
    looked += page.length
    if (looked >= LOOKED) break
  }
  return open
}
