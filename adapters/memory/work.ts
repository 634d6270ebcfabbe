import { onNextTurn } from '../../lib/clock.ts'
import type { JsonObject } from '../../lib/log/commit.ts'
import type {
  BusiestOptions,
  ClaimOptions,
  HastenOptions,
  LaneCount,
  NewWork,
  NextDueOptions,
  OpenWorkOptions,
  OverdueOptions,
  Work,
  WorkTable,
} from '../../lib/log/work-table.ts'
import { deepFreeze, frozenCopy } from './frozen.ts'
import type { Entry } from './journal.ts'
import { compareDue, compareText, LaneQueue } from './lane-queue.ts'
import type { Change, WriteLock } from './write-lock.ts'

/** So many rows become due earlier with one change. */
const HASTENED_AT_ONCE = 1_000

/** Work in memory: rows by id, and for each lane what waits. */
export class MemoryWork implements WorkTable {
  readonly #table: string
  readonly #change: Change
  readonly #assertOpen: () => void
  readonly #now: () => number
  readonly #rows = new Map<string, Work>()
  readonly #waiting = new Map<string, LaneQueue>()

  constructor(table: string, { change, assertOpen, steadyNow }: WriteLock) {
    this.#table = table
    this.#change = change
    this.#assertOpen = assertOpen
    this.#now = steadyNow
  }

  apply(work: Work): void {
    const before = this.#rows.get(work.id)
    this.#rows.set(work.id, deepFreeze(work))
    this.#unqueue(before)
    if (isWaiting(work)) this.#enqueue(work)
  }

  remove(id: string): void {
    const before = this.#rows.get(id)
    this.#rows.delete(id)
    this.#unqueue(before)
  }

  /** A new process starts: whoever held work before is gone, since only one process can have the store. */
  freeAll(): void {
    for (const work of [...this.#rows.values()]) if (work.holder !== undefined) this.apply(freed(work))
  }

  /** All of it, as entries of a journal. */
  *entries(): Generator<Entry> {
    for (const work of this.#rows.values()) yield { kind: 'work', table: this.#table, work }
  }

  async time(): Promise<number> {
    this.#assertOpen()
    return this.#now()
  }

  async add(work: readonly NewWork[]): Promise<void> {
    const rows = frozenCopy(work)
    return this.#change((write) => {
      for (const row of rows) if (!this.#rows.has(row.id)) this.#write(write, { ...row, fence: 0 })
    })
  }

  /** Lanes stand in the order of their turns: as many are looked at as it takes. */
  claim({ holder, now, limit, perLane, freeSlots, prefix = '' }: ClaimOptions): Promise<Work[]> {
    return this.#change((write) => {
      const lanes: Work[][] = []
      for (const [lane, waiting] of this.#waiting) {
        if (lanes.length >= limit) break
        const most = Math.max(0, freeSlots?.get(lane) ?? perLane)
        if (!lane.startsWith(prefix) || most === 0) continue
        const due = waiting.due(Math.min(most, limit), now)
        if (due.length > 0) lanes.push(due)
      }
      const taken = inTurn(lanes).slice(0, limit)
      const claimed = taken.map((work) => this.#write(write, { ...work, holder, fence: work.fence + 1 }))
      for (const lane of new Set(claimed.map((work) => work.lane))) this.#toTheEnd(lane)
      return claimed
    })
  }

  claimOverdue({ holder, prefix = '', now, limit }: OverdueOptions): Promise<Work[]> {
    return this.#change((write) => {
      const waiting = [...this.#waiting].flatMap(([lane, queue]) => (lane.startsWith(prefix) ? queue.rows() : []))
      const overdue = waiting
        .filter(({ deadline }) => deadline !== undefined && deadline <= now)
        .sort((a, b) => Number(a.deadline) - Number(b.deadline))
      return overdue.slice(0, limit).map((work) => this.#write(write, { ...work, holder, fence: work.fence + 1 }))
    })
  }

  async hasten(lane: string, dueAt: number, { signal, onProgress }: HastenOptions = {}): Promise<number> {
    const later = await this.#change(() => (this.#waiting.get(lane)?.rows() ?? []).filter((work) => work.dueAt > dueAt))
    let hastened = 0
    for (let from = 0; from < later.length && !signal?.aborted; from += HASTENED_AT_ONCE) {
      hastened += await this.#hasten(later.slice(from, from + HASTENED_AT_ONCE), dueAt)
      onProgress?.(hastened)
      await new Promise<void>(onNextTurn) // others go on, and may abort it
    }
    return hastened
  }

  /** Rows that were claimed since they were read are left out. */
  #hasten(page: readonly Work[], dueAt: number): Promise<number> {
    return this.#change((write) => {
      const unchanged = page.filter((work) => this.#rows.get(work.id) === work)
      for (const work of unchanged) this.#write(write, { ...work, dueAt })
      return unchanged.length
    })
  }

  async open({ prefix = '', lane: only, after, limit }: OpenWorkOptions): Promise<Work[]> {
    this.#assertOpen()
    const rows = [...this.#rows.values()].filter(
      (work) =>
        work.doneAt === undefined &&
        work.lane.startsWith(prefix) &&
        (only === undefined || work.lane === only) &&
        (after === undefined || compareRows(work, after) > 0),
    )
    return rows.sort(compareRows).slice(0, limit)
  }

  async putBack(work: Work, change: { readonly dueAt: number; readonly body: JsonObject }): Promise<boolean> {
    const { dueAt, body } = frozenCopy(change)
    return this.#ifMine(work, ({ holder: _, ...mine }) => ({ ...mine, dueAt, body }))
  }

  finish(work: Work, at: number): Promise<boolean> {
    return this.#ifMine(work, ({ holder: _, ...mine }) => ({ ...mine, body: {}, doneAt: at }))
  }

  async get(id: string): Promise<Work | undefined> {
    this.#assertOpen()
    return this.#rows.get(id)
  }

  async nextDueAt(
    prefix: string = '',
    { except = [], after = Number.NEGATIVE_INFINITY }: NextDueOptions = {},
  ): Promise<number | undefined> {
    this.#assertOpen()
    const passedOver = new Set(except)
    let next: number | undefined
    for (const [lane, queue] of this.#waiting) {
      const first = lane.startsWith(prefix) && !passedOver.has(lane) ? queue.first() : undefined
      if (first && first.dueAt > after && (next === undefined || first.dueAt < next)) next = first.dueAt
    }
    return next
  }

  async countOpen({
    prefix = '',
    lane: only,
  }: {
    readonly prefix?: string
    readonly lane?: string
  } = {}): Promise<number> {
    this.#assertOpen()
    let open = 0
    for (const { lane, doneAt } of this.#rows.values()) {
      if (doneAt === undefined && lane.startsWith(prefix) && (only === undefined || lane === only)) open += 1
    }
    return open
  }

  async busiest({ prefix = '', lanes, limit }: BusiestOptions): Promise<LaneCount[]> {
    this.#assertOpen()
    const only = lanes && new Set(lanes)
    const counts = new Map<string, LaneCount>()
    for (const { lane, doneAt, since } of this.#rows.values()) {
      if (doneAt !== undefined || !lane.startsWith(prefix) || only?.has(lane) === false) continue
      const { open, oldest } = counts.get(lane) ?? { open: 0 }
      const earliest = Math.min(oldest ?? Number.POSITIVE_INFINITY, since ?? Number.POSITIVE_INFINITY)
      counts.set(lane, { lane, open: open + 1, ...(Number.isFinite(earliest) && { oldest: earliest }) })
    }
    return [...counts.values()].sort((a, b) => b.open - a.open || compareText(a.lane, b.lane)).slice(0, limit)
  }

  sweep(doneBefore: number): Promise<number> {
    return this.#change((write) => {
      const old = [...this.#rows.values()].filter(({ doneAt }) => doneAt !== undefined && doneAt < doneBefore)
      for (const { id } of old) {
        this.remove(id)
        write({ kind: 'work_removed', table: this.#table, id })
      }
      return old.length
    })
  }

  async holders(): Promise<string[]> {
    this.#assertOpen()
    return [...new Set([...this.#rows.values()].flatMap(({ holder }) => holder ?? []))]
  }

  free(holder: string): Promise<number> {
    return this.#change((write) => {
      const held = [...this.#rows.values()].filter((work) => work.holder === holder)
      for (const work of held) this.#write(write, freed(work))
      return held.length
    })
  }

  #ifMine(work: Work, to: (mine: Work) => Work): Promise<boolean> {
    return this.#change((write) => {
      const row = this.#rows.get(work.id)
      if (!row || row.holder !== work.holder || row.fence !== work.fence || row.doneAt !== undefined) return false
      this.#write(write, to(row))
      return true
    })
  }

  #write(write: (entry: Entry) => void, work: Work): Work {
    this.apply(work)
    write({ kind: 'work', table: this.#table, work })
    return work
  }

  /** The next claim begins with the lanes that this one did not come to. */
  #toTheEnd(lane: string): void {
    const waiting = this.#waiting.get(lane)
    if (!waiting) return
    this.#waiting.delete(lane)
    this.#waiting.set(lane, waiting)
  }

  #enqueue(work: Work): void {
    const queue = this.#waiting.get(work.lane) ?? new LaneQueue((row) => this.#rows.get(row.id) === row)
    this.#waiting.set(work.lane, queue)
    queue.add(work)
  }

  /** The row is another one by now, or gone. */
  #unqueue(before: Work | undefined): void {
    const queue = before && isWaiting(before) && this.#waiting.get(before.lane)
    if (!queue) return
    queue.dropped()
    if (queue.size === 0) this.#waiting.delete(before.lane)
  }
}

function isWaiting({ holder, doneAt }: Work): boolean {
  return holder === undefined && doneAt === undefined
}

function freed({ holder: _, ...work }: Work): Work {
  return { ...work, fence: work.fence + 1 }
}

function compareRows(a: Pick<Work, 'lane' | 'dueAt' | 'id'>, b: Pick<Work, 'lane' | 'dueAt' | 'id'>): number {
  return compareText(a.lane, b.lane) || compareDue(a, b)
}

/** One of each, then the second of each, and so on. */
function inTurn<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map((list) => list.length))
  const turns: T[] = []
  for (let i = 0; i < longest; i++) for (const list of lists) if (i < list.length) turns.push(list[i] as T)
  return turns
}
