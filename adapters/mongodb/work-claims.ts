import { randomBytes } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import type { ClaimOptions, OverdueOptions, Work } from '../../lib/log/work-table.ts'
import type { Collections } from './collections.ts'
import type { LaneDocument, WorkDocument } from './documents.ts'
import { workOf } from './work-documents.ts'
import type { LaneLook, WorkLanes } from './work-lanes.ts'
import { beginning } from './work-queries.ts'

/** So many lanes are asked for their rows at a time, where they are asked one by one. */
const LANES_AT_ONCE = 16

/** So many rows are looked at for all lanes of a claim at once, for each that is wanted. */
const ROWS_PER_WANTED = 4

/** So many lanes from which nothing may be claimed are named in a query; any others are passed over as they are met. */
const MOST_NAMED = 256

/** So many lanes are found beside those that are wanted: in some nothing is due any more. */
const SPARE_LANES = 64

/** So often a claim looks for lanes that it may take from. */
const MOST_LOOKS = 4

/** So many rows in hand are looked at, to tell which lanes have some. */
const MOST_HELD = 1_000

/**
 * What a call of unknown outcome took is given back so often, and for so long, in milliseconds: its command may still be
 * carried out when it has been given up, by a server that was stopped or on a connection that was slow.
 */
const GIVE_BACK_MS = { every: 5_000, during: 60_000 }

/** What claims work with. */
export interface ClaimParts {
  readonly collections: Collections
  readonly table: string
  readonly lanes: WorkLanes
  readonly clock: Clock
  /** Gives back what these calls of `claim` took. */
  readonly free: (claims: Iterable<string>) => Promise<void>
}

/**
 * Claims work. What a claim costs is decided by what it takes: the lanes whose turn it is are found in documents of their
 * own, see `WorkLanes`.
 */
export class WorkClaims {
  readonly #parts: ClaimParts
  /**
   * Calls whose outcome is unknown, and when what they took was first given back: nobody else would, while this process
   * lives.
   */
  readonly #lost = new Map<string, number | undefined>()
  #gaveBackAt = Number.NEGATIVE_INFINITY
  /** Lanes are served in the order in which they were served before: each claim of this process has a later turn. */
  #turn = 0

  constructor(parts: ClaimParts) {
    this.#parts = parts
  }

  async claim({ holder, now, limit, perLane, freeSlots = new Map(), prefix = '' }: ClaimOptions): Promise<Work[]> {
    await this.#giveBackLost()
    await this.#parts.lanes.touchRest()
    if (limit <= 0) return []
    const freeSlotsOf = (lane: string): number => Math.min(limit, freeSlots.get(lane) ?? perLane)
    const full = [...freeSlots.keys()].filter((lane) => freeSlotsOf(lane) <= 0)
    const except = full.slice(0, MOST_NAMED)
    // Beside those that are taken from: some that turn out to have no room, or nothing that is due.
    const atOnce = limit + SPARE_LANES + (full.length > except.length ? MOST_NAMED : 0)
    for (let look = 1; look <= MOST_LOOKS; look++) {
      this.#turn = Math.max(now, this.#turn) + 0.001
      const found = await this.#parts.lanes.due({ prefix, now, except, limit: atOnce })
      const lanes = found.filter(({ _id }) => freeSlotsOf(_id) > 0)
      for (const some of [lanes.slice(0, limit), lanes.slice(limit)]) {
        const claimed = await this.#claimFrom(some, freeSlotsOf, { holder, now, limit })
        if (claimed.length > 0) return claimed
      }
      await this.#parts.lanes.passedOver(
        found.filter(({ _id }) => freeSlotsOf(_id) <= 0),
        this.#turn,
      )
      if (found.length < atOnce) break
    }
    return []
  }

  async claimOverdue({ holder, prefix = '', now, limit }: OverdueOptions): Promise<Work[]> {
    await this.#giveBackLost() // while the feature is off nothing else is claimed
    const overdue = await this.#parts.collections.withTimeout(
      this.#rows
        .find(
          { state: 'waiting', deadline: { $lte: now }, lane: beginning(prefix) },
          { projection: { lane: 1, dueAt: 1 } },
        )
        .sort({ deadline: 1 })
        .limit(limit)
        .toArray(),
    )
    return overdue.length === 0 ? [] : this.#take(overdue, holder)
  }

  async #claimFrom(
    lanes: readonly LaneDocument[],
    freeSlotsOf: (lane: string) => number,
    { holder, now, limit }: Pick<ClaimOptions, 'holder' | 'now' | 'limit'>,
  ): Promise<Work[]> {
    if (lanes.length === 0) return []
    const names = lanes.map(({ _id }) => _id)
    const waiting = await this.#oldestIn(names, freeSlotsOf, now, limit)
    const seen = lanes.flatMap((lane) => {
      const found = waiting.get(lane._id)
      return found ? [{ lane, ...found }] : []
    })
    const due = seen.map(({ lane, rows }) => rows.filter(({ dueAt }) => dueAt <= now).slice(0, freeSlotsOf(lane._id)))
    const chosen = inTurn(due).slice(0, limit)
    const taken = chosen.length === 0 ? [] : await this.#take(chosen, holder)
    try {
      await this.#served(seen, chosen, now)
    } catch (error) {
      // What was taken is in the caller's hands, or nobody's. Its lanes stay due, so that the next claim looks again.
      if (taken.length === 0) throw error
    }
    return taken
  }

  /** Has the lanes wait until something in them is due again, beside what was chosen. */
  async #served(seen: readonly SeenLane[], chosen: readonly WaitingRow[], now: number): Promise<void> {
    const ids = new Set(chosen.map(({ _id }) => _id))
    const busy = new Set(chosen.map(({ lane }) => lane))
    const idle = seen.map(({ lane }) => lane._id).filter((lane) => !busy.has(lane))
    const held = new Set([...busy, ...(await this.#heldIn(idle))])
    const again = await this.#firstIn(idle.filter((lane) => !held.has(lane)))
    const looks = seen.map(({ lane, rows, beyond }): LaneLook => {
      const seenNext = rows.find(({ _id }) => !ids.has(_id))?.dueAt ?? beyond
      const next = earliest(seenNext, again.get(lane._id))
      return { lane, next, held: held.has(lane._id), taken: busy.has(lane._id) }
    })
    await this.#parts.lanes.served(looks, this.#turn, now)
  }

  /** When work that waits in each of the lanes is due first; where there is too much of it to tell, a lower bound. */
  async #firstIn(lanes: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const first = new Map<string, number>()
    if (lanes.length === 0) return first
    const rows = await this.#oldest({ $in: [...lanes] }, lanes.length)
    for (const { lane, dueAt } of rows) first.set(lane, earliest(first.get(lane), dueAt) ?? dueAt)
    const last = rows.at(-1)?.dueAt
    if (rows.length === lanes.length && last !== undefined)
      for (const lane of lanes) if (!first.has(lane)) first.set(lane, last)
    return first
  }

  /**
   * The oldest rows that wait in each lane: as many as there is room for, and one more where there is one. All lanes
   * share a look; where it ends before a lane was seen to its room's end, that lane is asked for alone, if it is one of
   * the first `limit`, or is left out.
   */
  async #oldestIn(
    lanes: readonly string[],
    freeSlotsOf: (lane: string) => number,
    now: number,
    limit: number,
  ): Promise<Map<string, Waiting>> {
    const most = ROWS_PER_WANTED * limit + lanes.length
    const rows = await this.#oldest({ $in: [...lanes] }, most)
    const waiting = new Map<string, Waiting>()
    const complete = rows.length < most
    const last = rows.at(-1)?.dueAt
    const separate: string[] = []
    for (const lane of lanes) {
      const own = rows.filter((row) => row.lane === lane)
      const isSeen = complete || own.length > freeSlotsOf(lane) || (last !== undefined && last > now)
      if (isSeen) waiting.set(lane, { rows: own, beyond: complete ? undefined : last })
      else if (separate.length < limit) separate.push(lane)
    }
    for (let i = 0; i < separate.length; i += LANES_AT_ONCE) {
      await Promise.all(
        separate.slice(i, i + LANES_AT_ONCE).map(async (lane) => {
          const own = await this.#oldest(lane, freeSlotsOf(lane) + 1)
          waiting.set(lane, { rows: own, beyond: own.length > freeSlotsOf(lane) ? own.at(-1)?.dueAt : undefined })
        }),
      )
    }
    return waiting
  }

  #oldest(lane: string | { $in: string[] }, limit: number): Promise<WaitingRow[]> {
    return this.#parts.collections.withTimeout(
      this.#rows
        .find({ state: 'waiting', lane }, { projection: { lane: 1, dueAt: 1 } })
        .sort({ dueAt: 1, _id: 1 })
        .limit(limit)
        .toArray(),
    )
  }

  /** Those of the lanes in which work is in hand. Where there is too much of it to tell, all of them. */
  async #heldIn(lanes: readonly string[]): Promise<readonly string[]> {
    if (lanes.length === 0) return []
    const held = await this.#parts.collections.withTimeout(
      this.#rows
        .find({ state: 'held', lane: { $in: [...lanes] } }, { projection: { lane: 1 } })
        .limit(MOST_HELD)
        .toArray(),
    )
    return held.length === MOST_HELD ? lanes : held.map(({ lane }) => lane)
  }

  async #take(rows: readonly WaitingRow[], holder: string): Promise<Work[]> {
    const claim = randomBytes(9).toString('base64url')
    const taking = { $set: { state: 'held' as const, holder, claim }, $inc: { fence: 1 } }
    try {
      const [only, ...more] = rows
      if (only && more.length === 0) {
        const taken = await this.#parts.collections.withTimeout(
          this.#rows.findOneAndUpdate({ _id: only._id, state: 'waiting' }, taking, { returnDocument: 'after' }),
        )
        return taken ? [workOf(taken)] : []
      }
      const ids = rows.map(({ _id }) => _id)
      await this.#parts.collections.withTimeout(this.#rows.updateMany({ _id: { $in: ids }, state: 'waiting' }, taking))
      const taken = await this.#parts.collections.withTimeout(
        this.#rows
          .find({ _id: { $in: ids }, claim, state: 'held' })
          .limit(ids.length)
          .toArray(),
      )
      const order = new Map(ids.map((id, index) => [id, index]))
      return taken.sort((a, b) => Number(order.get(a._id)) - Number(order.get(b._id))).map(workOf)
    } catch (error) {
      this.#lost.set(claim, undefined)
      this.#gaveBackAt = Number.NEGATIVE_INFINITY
      throw error
    }
  }

  async #giveBackLost(): Promise<void> {
    const { clock, free } = this.#parts
    const now = clock.monotonic()
    if (this.#lost.size === 0 || now - this.#gaveBackAt < GIVE_BACK_MS.every) return
    await free(this.#lost.keys())
    this.#gaveBackAt = now
    for (const [claim, since = now] of this.#lost) {
      if (now - since > GIVE_BACK_MS.during) this.#lost.delete(claim)
      else this.#lost.set(claim, since)
    }
  }

  get #rows() {
    return this.#parts.collections.work(this.#parts.table)
  }
}

/** What a claim looks at of a row that waits. */
type WaitingRow = Pick<WorkDocument, '_id' | 'lane' | 'dueAt'>

/** What waits in a lane, as far as a claim has looked. */
interface Waiting {
  /** The oldest rows. */
  readonly rows: readonly WaitingRow[]
  /** Nothing that was not seen is due before; undefined: everything was seen. */
  readonly beyond: number | undefined
}

/** A lane that was looked into. */
interface SeenLane extends Waiting {
  readonly lane: LaneDocument
}

/** Undefined: there is none. */
function earliest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other)
}

/** One of each lane, then the second of each, and so on. */
function inTurn<T>(lanes: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lanes.map(({ length }) => length))
  const turns: T[] = []
  for (let i = 0; i < longest; i++) for (const lane of lanes) if (i < lane.length) turns.push(lane[i] as T)
  return turns
}
