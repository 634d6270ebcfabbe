import type { EventStore } from '../../../lib/log/event-store.ts'
import type { NewWork, Work, WorkTable } from '../../../lib/log/work-table.ts'
import { only } from './expect.ts'
import { range } from './log-under-test.ts'

/** Everything that is due by 1000, for a holder called "me". */
export const all = { holder: 'me', now: 1000, limit: 1000, perLane: 1000 } as const

let tables = 0

/** A work table that no other test uses. */
export function freshTable(store: EventStore): WorkTable {
  tables += 1
  return store.work(`jobs_${tables}`)
}

/** A piece of work, due at 100. */
export function job(id: string, more: Partial<NewWork> = {}): NewWork {
  return { id, lane: 'rp', dueAt: 100, body: {}, ...more }
}

/** So many of one lane, due one after the other. */
export function jobs(lane: string, count: number, dueAt: number = 100): NewWork[] {
  return range(count).map((n) => job(`${lane}/${n}`, { lane, dueAt: dueAt + n }))
}

/** Claims one row, which must be there. */
export async function claimOne(table: WorkTable, holder: string = 'me'): Promise<Work> {
  return only(await table.claim({ ...all, holder, limit: 1 }))
}

export function idsOf(work: readonly Work[]): string[] {
  return work.map(({ id }) => id)
}
