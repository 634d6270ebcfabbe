import { randomBytes } from 'node:crypto'
import type { AnyBulkWriteOperation, Document } from 'mongodb'
import type { JsonObject } from '../../lib/log/commit.ts'
import type {
  ClaimOptions,
  LaneCount,
  NewWork,
  OpenWorkOptions,
  OverdueOptions,
  Work,
  WorkTable,
} from '../../lib/log/work-table.ts'
import type { Collections } from './collections.ts'
import type { LaneDocument, WorkDocument } from './documents.ts'
import type { ServerTime } from './server-time.ts'
import { type LaneLook, WorkLanes } from './work-lanes.ts'
import { beginning, onlyDuplicates } from './work-queries.ts'

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

/** So many rows become due earlier with one command. */
const HASTENED_AT_ONCE = 1_000

/** So many finished rows are removed with one command, and so many times in a row. */
const SWEPT_AT_ONCE = 1_000
const MOST_SWEEPS = 50

/**
 * Work on MongoDB: every write filters on the holder and the fence. What a claim costs is decided by what it takes: the
 * lanes whose turn it is are found in documents of their own, see `WorkLanes`.
 */
export class MongoWork implements WorkTable {
  readonly #collections: Collections
  readonly #table: string
  readonly #serverTime: ServerTime
  readonly #lanes: WorkLanes
  /** Calls of `claim` whose outcome is unknown: what they took must be given back, or nobody would ever do it. */
  readonly #lost = new Set<string>()
  /** Lanes are served in the order in which they were served before: each claim of this process has a later turn. */
  #turn = 0

  constructor(collections: Collections, table: string, serverTime: ServerTime) {
    this.#collections = collections
    this.#table = table
    this.#serverTime = serverTime
    this.#lanes = new WorkLanes(collections, table)
  }

  /** The indexes that the queries below use. */
  static async prepare(collections: Collections, table: string): Promise<void> {
    await collections
      .work(table)
      .createIndexes([
        { key: { state: 1, lane: 1, dueAt: 1, _id: 1 } },
        { key: { state: 1, dueAt: 1 } },
        { key: { holder: 1 }, partialFilterExpression: { holder: { $exists: true } } },
        { key: { doneAt: 1 }, partialFilterExpression: { doneAt: { $exists: true } } },
        { key: { state: 1, deadline: 1 } },
        { key: { claim: 1 }, partialFilterExpression: { claim: { $exists: true } } },
      ])
    await WorkLanes.prepare(collections, table)
  }

  async time(): Promise<number> {
    this.#collections.assertOpen()
    return this.#serverTime.now()
  }

  async add(work: readonly NewWork[]): Promise<void> {
    if (work.length === 0) return
    const inserts: AnyBulkWriteOperation<WorkDocument>[] = work.map(({ id, lane, dueAt, deadline, body }) => ({
      insertOne: {
        document: {
          _id: id,
          lane,
          dueAt,
          ...(deadline !== undefined && { deadline }),
          body: structuredClone(body) as Document,
          state: 'waiting',
          fence: 0,
        },
      },
    }))
    const lanes = earliestByLane(work)
    await this.#collections.withTimeout(() =>
      this.#rows.bulkWrite(inserts, { ordered: false }).catch((error: unknown) => {
        if (!onlyDuplicates(error)) throw error // what is there already stays as it is
      }),
    )
    await this.#lanes.touch(lanes)
  }

  async claim({ holder, now, limit, perLane, freeSlots = new Map(), prefix = '' }: ClaimOptions): Promise<Work[]> {
    await this.#giveBackLost()
    await this.#lanes.touchRest()
    if (limit <= 0) return []
    const freeSlotsOf = (lane: string): number => Math.min(limit, freeSlots.get(lane) ?? perLane)
    const full = [...freeSlots.keys()].filter((lane) => freeSlotsOf(lane) <= 0)
    const except = full.slice(0, MOST_NAMED)
    // Beside those that are taken from: some that turn out to have no room, or nothing that is due.
    const atOnce = limit + SPARE_LANES + (full.length > except.length ? MOST_NAMED : 0)
    for (let look = 1; look <= MOST_LOOKS; look++) {
      this.#turn = Math.max(now, this.#turn) + 0.001
      const found = await this.#lanes.due({ prefix, now, except, limit: atOnce })
      const lanes = found.filter(({ _id }) => freeSlotsOf(_id) > 0)
      for (const some of [lanes.slice(0, limit), lanes.slice(limit)]) {
        const claimed = await this.#claimFrom(some, freeSlotsOf, { holder, now, limit })
        if (claimed.length > 0) return claimed
      }
      await this.#lanes.passedOver(
        found.filter(({ _id }) => freeSlotsOf(_id) <= 0),
        this.#turn,
      )
      if (found.length < atOnce) break
    }
    return []
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
    const looks = seen.map(({ lane, rows, beyond }): LaneLook => {
      const next = rows.find(({ _id }) => !ids.has(_id))?.dueAt ?? beyond
      return { lane, next, held: held.has(lane._id) }
    })
    await this.#lanes.served(looks, this.#turn, now)
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
    return this.#collections.withTimeout(
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
    const held = await this.#collections.withTimeout(
      this.#rows
        .find({ state: 'held', lane: { $in: [...lanes] } }, { projection: { lane: 1 } })
        .limit(SWEPT_AT_ONCE)
        .toArray(),
    )
    return held.length === SWEPT_AT_ONCE ? lanes : held.map(({ lane }) => lane)
  }

  async claimOverdue({ holder, prefix = '', now, limit }: OverdueOptions): Promise<Work[]> {
    const overdue = await this.#collections.withTimeout(
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

  /** Some at a time: an RP that was dead for hours has missed more than one command can change in its time. */
  async hasten(lane: string, dueAt: number): Promise<number> {
    let hastened = 0
    for (;;) {
      const later = await this.#collections.withTimeout(
        this.#rows
          .find({ state: 'waiting', lane, dueAt: { $gt: dueAt } }, { projection: { _id: 1 } })
          .limit(HASTENED_AT_ONCE)
          .toArray(),
      )
      if (later.length > 0) {
        const ids = later.map(({ _id }) => _id)
        const { modifiedCount } = await this.#collections.withTimeout(() =>
          this.#rows.updateMany({ _id: { $in: ids }, state: 'waiting', dueAt: { $gt: dueAt } }, { $set: { dueAt } }),
        )
        hastened += modifiedCount
      }
      await this.#lanes.touch(new Map([[lane, dueAt]])) // also where the answer of an earlier call was lost
      if (later.length < HASTENED_AT_ONCE) return hastened
    }
  }

  async open({ prefix = '', lane, after, limit }: OpenWorkOptions): Promise<Work[]> {
    const documents = await this.#collections.withTimeout(
      this.#rows
        .find({
          state: { $in: ['waiting', 'held'] },
          lane: lane ?? beginning(prefix),
          ...(after && {
            $or: [
              { lane: { $gt: after.lane } },
              { lane: after.lane, dueAt: { $gt: after.dueAt } },
              { lane: after.lane, dueAt: after.dueAt, _id: { $gt: after.id } },
            ],
          }),
        })
        .sort({ lane: 1, dueAt: 1, _id: 1 })
        .limit(limit)
        .toArray(),
    )
    return documents.map(workOf)
  }

  async putBack(work: Work, { dueAt, body }: { readonly dueAt: number; readonly body: JsonObject }): Promise<boolean> {
    const lanes = new Map([[work.lane, dueAt]])
    const isMine = await this.#ifMine(work, {
      $set: { state: 'waiting', dueAt, body: structuredClone(body) as Document },
      $unset: { holder: '', claim: '' },
    })
    await this.#lanes.touch(lanes) // also where it was put back by an earlier call whose answer was lost
    return isMine
  }

  async finish(work: Work, at: number): Promise<boolean> {
    return this.#ifMine(work, { $set: { state: 'done', doneAt: at }, $unset: { holder: '', claim: '' } })
  }

  async reopen(id: string, { dueAt, body }: { readonly dueAt: number; readonly body: JsonObject }): Promise<boolean> {
    const opened = await this.#collections.withTimeout(
      this.#rows.findOneAndUpdate(
        { _id: id, state: 'done' },
        {
          $set: { state: 'waiting', dueAt, body: structuredClone(body) as Document },
          $unset: { doneAt: '' },
          $inc: { fence: 1 },
        },
        { projection: { lane: 1 } },
      ),
    )
    if (opened) await this.#lanes.touch(new Map([[opened.lane, dueAt]]))
    return opened !== null
  }

  async get(id: string): Promise<Work | undefined> {
    const document = await this.#collections.withTimeout(this.#rows.findOne({ _id: id }))
    return document ? workOf(document) : undefined
  }

  nextDueAt(prefix: string = ''): Promise<number | undefined> {
    return this.#lanes.nextDueAt(prefix)
  }

  countOpen({ prefix = '', lane }: { readonly prefix?: string; readonly lane?: string } = {}): Promise<number> {
    const open = { state: { $in: ['waiting' as const, 'held' as const] }, lane: lane ?? beginning(prefix) }
    return this.#collections.withTimeout(this.#rows.countDocuments(open))
  }

  busiest({ prefix = '', limit }: { readonly prefix?: string; readonly limit: number }): Promise<LaneCount[]> {
    return this.#collections.withTimeout(
      this.#rows
        .aggregate<LaneCount>([
          { $match: { state: { $in: ['waiting', 'held'] }, lane: beginning(prefix) } },
          { $group: { _id: '$lane', open: { $sum: 1 } } },
          { $sort: { open: -1, _id: 1 } },
          { $limit: limit },
          { $project: { _id: 0, lane: '$_id', open: 1 } },
        ])
        .toArray(),
    )
  }

  async sweep(doneBefore: number): Promise<number> {
    let swept = 0
    for (let sweeps = 0; sweeps < MOST_SWEEPS; sweeps++) {
      const old = await this.#collections.withTimeout(
        this.#rows
          .find({ state: 'done', doneAt: { $lt: doneBefore } }, { projection: { _id: 1 } })
          .limit(SWEPT_AT_ONCE)
          .toArray(),
      )
      if (old.length === 0) break
      const ids = old.map(({ _id }) => _id)
      const { deletedCount } = await this.#collections.withTimeout(() =>
        this.#rows.deleteMany({ _id: { $in: ids }, state: 'done', doneAt: { $lt: doneBefore } }),
      )
      swept += deletedCount
      if (old.length < SWEPT_AT_ONCE) break
    }
    return swept
  }

  async holders(): Promise<string[]> {
    const holders = await this.#collections.withTimeout(this.#rows.distinct('holder', { holder: { $exists: true } }))
    return holders.filter((holder) => holder !== undefined)
  }

  free(holder: string): Promise<number> {
    return this.#free({ holder, state: 'held' })
  }

  /** Its lanes are due when it is. */
  async #free(held: { state: 'held'; holder?: string; claim?: { $in: string[] } }): Promise<number> {
    const byLane = [{ $match: held }, { $group: { _id: '$lane', dueAt: { $min: '$dueAt' } } }]
    const lanes = await this.#rows.aggregate<{ _id: string; dueAt: number }>(byLane).toArray()
    if (lanes.length === 0) return 0
    const { modifiedCount } = await this.#collections.withTimeout(() => this.#rows.updateMany(held, FREE))
    await this.#lanes.touch(new Map(lanes.map(({ _id, dueAt }) => [_id, dueAt])))
    return modifiedCount
  }

  async #take(rows: readonly WaitingRow[], holder: string): Promise<Work[]> {
    const claim = randomBytes(9).toString('base64url')
    const taking = { $set: { state: 'held' as const, holder, claim }, $inc: { fence: 1 } }
    try {
      const [only, ...more] = rows
      if (only && more.length === 0) {
        const taken = await this.#collections.withTimeout(
          this.#rows.findOneAndUpdate({ _id: only._id, state: 'waiting' }, taking, { returnDocument: 'after' }),
        )
        return taken ? [workOf(taken)] : []
      }
      const ids = rows.map(({ _id }) => _id)
      await this.#collections.withTimeout(this.#rows.updateMany({ _id: { $in: ids }, state: 'waiting' }, taking))
      const taken = await this.#collections.withTimeout(
        this.#rows.find({ _id: { $in: ids }, claim, state: 'held' }).toArray(),
      )
      const order = new Map(ids.map((id, index) => [id, index]))
      return taken.sort((a, b) => Number(order.get(a._id)) - Number(order.get(b._id))).map(workOf)
    } catch (error) {
      this.#lost.add(claim)
      throw error
    }
  }

  async #giveBackLost(): Promise<void> {
    if (this.#lost.size === 0) return
    const lost = [...this.#lost]
    await this.#free({ claim: { $in: lost }, state: 'held' })
    for (const claim of lost) this.#lost.delete(claim)
  }

  async #ifMine({ id, holder, fence }: Work, change: Document): Promise<boolean> {
    if (holder === undefined) return false
    const { matchedCount } = await this.#collections.withTimeout(
      this.#rows.updateOne({ _id: id, state: 'held', holder, fence }, change),
    )
    return matchedCount === 1
  }

  get #rows() {
    return this.#collections.work(this.#table)
  }
}

const FREE: Document = { $set: { state: 'waiting' }, $unset: { holder: '', claim: '' }, $inc: { fence: 1 } }

function workOf({ _id, lane, dueAt, deadline, body, holder, fence, doneAt }: WorkDocument): Work {
  return {
    id: _id,
    lane,
    dueAt,
    ...(deadline !== undefined && { deadline }),
    body: body as JsonObject,
    ...(holder !== undefined && { holder }),
    fence,
    ...(doneAt !== undefined && { doneAt }),
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

function earliestByLane(work: readonly NewWork[]): Map<string, number> {
  const lanes = new Map<string, number>()
  for (const { lane, dueAt } of work) lanes.set(lane, Math.min(dueAt, lanes.get(lane) ?? dueAt))
  return lanes
}

/** One of each lane, then the second of each, and so on. */
function inTurn<T>(lanes: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lanes.map(({ length }) => length))
  const turns: T[] = []
  for (let i = 0; i < longest; i++) for (const lane of lanes) if (i < lane.length) turns.push(lane[i] as T)
  return turns
}
