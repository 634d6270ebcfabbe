import { randomBytes } from 'node:crypto'
import { type AnyBulkWriteOperation, type Document, MongoBulkWriteError } from 'mongodb'
import type { JsonObject } from '../../lib/log/commit.ts'
import type {
  ClaimOptions,
  NewWork,
  OpenWorkOptions,
  OverdueOptions,
  Work,
  Worker,
  WorkTable,
} from '../../lib/log/work-table.ts'
import type { Collections } from './collections.ts'
import type { WorkDocument } from './documents.ts'
import type { ServerTime } from './server-time.ts'

/** A lane is asked for at most so many rows at a time. */
const LANES_AT_ONCE = 16

/** Work on MongoDB: every write filters on the holder and the fence. */
export class MongoWork implements WorkTable {
  readonly #collections: Collections
  readonly #table: string
  readonly #serverTime: ServerTime
  /** Calls of `claim` whose outcome is unknown: what they took must be given back, or nobody would ever do it. */
  readonly #lost = new Set<string>()

  constructor(collections: Collections, table: string, serverTime: ServerTime) {
    this.#collections = collections
    this.#table = table
    this.#serverTime = serverTime
  }

  /** The indexes that the queries below use. */
  static async prepare(collections: Collections, table: string): Promise<void> {
    await collections
      .work(table)
      .createIndexes([
        { key: { state: 1, lane: 1, dueAt: 1, _id: 1 } },
        { key: { state: 1, dueAt: 1 } },
        { key: { holder: 1 }, sparse: true },
        { key: { doneAt: 1 }, sparse: true },
        { key: { state: 1, deadline: 1 } },
      ])
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
    await this.#collections.reach(
      this.#rows.bulkWrite(inserts, { ordered: false }).catch((error: unknown) => {
        if (!onlyDuplicates(error)) throw error // what is there already stays as it is
      }),
    )
  }

  async claim({ holder, now, limit, perLane, room, prefix = '' }: ClaimOptions): Promise<Work[]> {
    await this.#giveBackLost()
    const full = [...(room ?? [])].filter(([, most]) => most <= 0).map(([lane]) => lane)
    const due = { state: 'waiting' as const, dueAt: { $lte: now } }
    const lanes = await this.#collections.reach(
      this.#rows.distinct('lane', { ...due, lane: { ...beginning(prefix), $nin: full } }),
    )
    const ids = inTurn(
      await this.#dueByLane(shuffled(lanes), due, (lane) => Math.min(limit, room?.get(lane) ?? perLane)),
    )
    return ids.length === 0 ? [] : this.#take(ids.slice(0, limit), holder)
  }

  async claimOverdue({ holder, prefix = '', now, limit }: OverdueOptions): Promise<Work[]> {
    const overdue = await this.#collections.reach(
      this.#rows
        .find({ state: 'waiting', deadline: { $lte: now }, lane: beginning(prefix) }, { projection: { _id: 1 } })
        .sort({ deadline: 1 })
        .limit(limit)
        .toArray(),
    )
    return overdue.length === 0
      ? []
      : this.#take(
          overdue.map(({ _id }) => _id),
          holder,
        )
  }

  async hasten(lane: string, dueAt: number): Promise<number> {
    const { modifiedCount } = await this.#collections.reach(
      this.#rows.updateMany({ state: 'waiting', lane, dueAt: { $gt: dueAt } }, { $set: { dueAt } }),
    )
    return modifiedCount
  }

  async open({ prefix = '', lane, after, limit }: OpenWorkOptions): Promise<Work[]> {
    const documents = await this.#collections.reach(
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
    return this.#ifMine(work, {
      $set: { state: 'waiting', dueAt, body: structuredClone(body) as Document },
      $unset: { holder: '', claim: '' },
    })
  }

  async finish(work: Work, at: number): Promise<boolean> {
    return this.#ifMine(work, { $set: { state: 'done', doneAt: at }, $unset: { holder: '', claim: '' } })
  }

  async reopen(id: string, { dueAt, body }: { readonly dueAt: number; readonly body: JsonObject }): Promise<boolean> {
    const { matchedCount } = await this.#collections.reach(
      this.#rows.updateOne(
        { _id: id, state: 'done' },
        {
          $set: { state: 'waiting', dueAt, body: structuredClone(body) as Document },
          $unset: { doneAt: '' },
          $inc: { fence: 1 },
        },
      ),
    )
    return matchedCount === 1
  }

  async get(id: string): Promise<Work | undefined> {
    const document = await this.#collections.reach(this.#rows.findOne({ _id: id }))
    return document ? workOf(document) : undefined
  }

  async nextDueAt(prefix: string = ''): Promise<number | undefined> {
    const next = await this.#collections.reach(
      this.#rows.findOne(
        { state: 'waiting', lane: beginning(prefix) },
        { sort: { dueAt: 1 }, projection: { dueAt: 1 } },
      ),
    )
    return next?.dueAt
  }

  async openByLane(): Promise<Map<string, number>> {
    const open = { $match: { state: { $in: ['waiting', 'held'] } } }
    const counts = await this.#collections.reach(
      this.#rows
        .aggregate<{ _id: string; open: number }>([open, { $group: { _id: '$lane', open: { $sum: 1 } } }])
        .toArray(),
    )
    return new Map(counts.map(({ _id, open: count }) => [_id, count]))
  }

  async sweep(doneBefore: number): Promise<number> {
    const { deletedCount } = await this.#collections.reach(
      this.#rows.deleteMany({ state: 'done', doneAt: { $lt: doneBefore } }),
    )
    return deletedCount
  }

  /** Begins anywhere: one that was forgotten and comes back must not look as it did when it was taken for dead. */
  async beat(holder: string): Promise<void> {
    const id = `${this.#table}/${holder}`
    await this.#collections.reach(
      this.#collections.workers.updateOne(
        { _id: id },
        [
          {
            $set: {
              table: this.#table,
              holder,
              beat: { $add: [{ $ifNull: ['$beat', randomBytes(5).readUIntBE(0, 5)] }, 1] },
            },
          },
        ],
        { upsert: true },
      ),
    )
  }

  async workers(): Promise<Worker[]> {
    const documents = await this.#collections.reach(this.#collections.workers.find({ table: this.#table }).toArray())
    return documents.map(({ holder, beat }) => ({ holder, beat }))
  }

  /** The worker is forgotten last: should this process die in between, another one frees the rest. */
  async takeOver({ holder, beat }: Worker): Promise<number> {
    const dead = { _id: `${this.#table}/${holder}`, beat }
    if (!(await this.#collections.reach(this.#collections.workers.findOne(dead)))) return 0
    const { modifiedCount } = await this.#collections.reach(this.#rows.updateMany({ holder, state: 'held' }, FREE))
    await this.#collections.reach(this.#collections.workers.deleteOne(dead))
    return modifiedCount
  }

  async #dueByLane(
    lanes: readonly string[],
    due: { state: 'waiting'; dueAt: { $lte: number } },
    mostOf: (lane: string) => number,
  ): Promise<string[][]> {
    const found: string[][] = []
    for (let i = 0; i < lanes.length; i += LANES_AT_ONCE) {
      const rows = lanes.slice(i, i + LANES_AT_ONCE).map((lane) =>
        this.#rows
          .find({ ...due, lane }, { projection: { _id: 1 } })
          .sort({ dueAt: 1 })
          .limit(mostOf(lane))
          .toArray(),
      )
      for (const lane of await this.#collections.reach(Promise.all(rows))) found.push(lane.map(({ _id }) => _id))
    }
    return found
  }

  async #take(ids: readonly string[], holder: string): Promise<Work[]> {
    const claim = randomBytes(9).toString('base64url')
    try {
      const taken = { $set: { state: 'held' as const, holder, claim }, $inc: { fence: 1 } }
      await this.#collections.reach(this.#rows.updateMany({ _id: { $in: [...ids] }, state: 'waiting' }, taken))
      const documents = await this.#collections.reach(
        this.#rows.find({ _id: { $in: [...ids] }, claim, state: 'held' }).toArray(),
      )
      const order = new Map(ids.map((id, index) => [id, index]))
      return documents.sort((a, b) => Number(order.get(a._id)) - Number(order.get(b._id))).map(workOf)
    } catch (error) {
      this.#lost.add(claim)
      throw error
    }
  }

  async #giveBackLost(): Promise<void> {
    if (this.#lost.size === 0) return
    const lost = [...this.#lost]
    await this.#collections.reach(this.#rows.updateMany({ claim: { $in: lost }, state: 'held' }, FREE))
    for (const claim of lost) this.#lost.delete(claim)
  }

  async #ifMine({ id, holder, fence }: Work, change: Document): Promise<boolean> {
    if (holder === undefined) return false
    const { matchedCount } = await this.#collections.reach(
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

/** Strings that begin so; compared by code point, so that nothing in the prefix needs escaping. */
function beginning(prefix: string): { $gte: string; $lt?: string } {
  return prefix === '' ? { $gte: '' } : { $gte: prefix, $lt: `${prefix}\u{10ffff}` }
}

function onlyDuplicates(error: unknown): boolean {
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError()) return false
  const errors = error.result.getWriteErrors()
  return errors.length > 0 && errors.every(({ code }) => code === 11000)
}

/** One of each lane, then the second of each, and so on. */
function inTurn(lanes: readonly (readonly string[])[]): string[] {
  const longest = Math.max(0, ...lanes.map(({ length }) => length))
  const turns: string[] = []
  for (let i = 0; i < longest; i++) for (const lane of lanes) if (i < lane.length) turns.push(lane[i] as string)
  return turns
}

/** So that no lane is always the last one when there are more lanes than room. */
function shuffled(lanes: readonly string[]): string[] {
  const from = lanes.length > 0 ? randomBytes(4).readUInt32BE() % lanes.length : 0
  return [...lanes.slice(from), ...lanes.slice(0, from)]
}
