import type { AnyBulkWriteOperation, Db } from 'mongodb'
import { type Clock, systemClock } from '../../../lib/clock.ts'
import { OptionInvalidError, TargetInUseError } from '../../../lib/errors.ts'
import { EventSourced } from '../../../lib/event-sourced.ts'
import { inParallel } from '../../../lib/in-parallel.ts'
import { assertKnownOptions } from '../../../lib/known-options.ts'
import { MODELS, type Payload } from '../../../lib/provider/models.ts'
import type { LiveState } from '../../../lib/provider/mover.ts'
import { SETTINGS } from '../settings.ts'
import { classicCollection, classicIndexes, isExport, markAsExport } from './classic.ts'

/** Where to move out to. */
export interface ExportOptions {
  /** The OP on the log, started. */
  readonly op: EventSourced
  /** A database without collections of these names, or one that an export has written before. */
  readonly to: Db
  /** Ends the call: it rejects with the signal's reason. What was written stays, and the next export goes on. */
  readonly signal?: AbortSignal
  /** Called now and then with the number of documents that were written so far. */
  readonly onProgress?: (written: number) => void
  readonly clock?: Clock
}

/** What an export did with a model. */
export interface ExportedModel {
  /** Documents that were written. */
  written: number
  /** Left behind: they have expired. */
  expired: number
  /** Left behind: of a model of the application's own nothing but the hash of the id is known. */
  withoutId: number
  /** Documents of an earlier export that were removed, since they have ended in the log. */
  removed: number
}

/** What an export did, by model. */
export interface ExportReport {
  readonly models: Readonly<Record<string, ExportedModel>>
}

/** A document of the example adapter. */
interface Row {
  readonly _id: string
  readonly payload: Payload
  readonly expiresAt?: Date
}

/** So many documents are compared with the log at once. */
const PAGE = 500
const IN_FLIGHT = 64

const OPTIONS = ['op', 'to', 'signal', 'onProgress', 'clock']

/**
 * Writes everything that lives to another database, in the layout of oidc-provider's example adapter for MongoDB: a
 * collection for each model, and documents `{ _id, payload, expiresAt }`. May be repeated: it then writes what lives by now,
 * and removes what has ended since. The log is only read.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`); TargetInUseError (`TARGET_IN_USE`) when a collection of the target holds
 *   something that no export has written; and what the store and the driver throw
 */
export async function exportClassic(options: ExportOptions): Promise<ExportReport> {
  assertKnownOptions(options, OPTIONS)
  const { op, to, clock = systemClock } = options
  if (!(op instanceof EventSourced)) throw new OptionInvalidError('op', 'must be what eventSourced() returns')
  if (typeof to?.collection !== 'function') throw new OptionInvalidError('to', 'must be a Db of the MongoDB driver')
  await assertFree(to)
  await markAsExport(to, new Date(clock.now()))
  const exported = new Export(options, clock)
  await exported.write()
  await exported.removeEnded()
  return { models: exported.models }
}

class Export {
  readonly models: Record<string, ExportedModel> = {}
  readonly #options: ExportOptions
  readonly #clock: Clock
  readonly #indexed = new Set<string>()
  #written = 0

  constructor(options: ExportOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
  }

  async write(): Promise<void> {
    const { op, signal, onProgress } = this.#options
    for await (const states of op.mover.states(signal)) {
      const now = this.#clock.now() / 1000
      for (const [model, rows] of this.#rowsOf(states, now)) {
        const collection = await this.#collectionOf(model)
        await collection.bulkWrite(rows, { ordered: false, writeConcern: { w: 'majority' } })
        this.#of(model).written += rows.length
        this.#written += rows.length
      }
      onProgress?.(this.#written)
    }
  }

  /** What an earlier export has written and what lives no more: a session that was logged out of must not come back. */
  async removeEnded(): Promise<void> {
    const { op, to, signal } = this.#options
    for (const model of new Set([...MODELS, ...Object.keys(this.models)])) {
      const collection = to.collection<Row>(classicCollection(model), SETTINGS)
      let page: string[] = []
      const removeFromPage = async (): Promise<void> => {
        signal?.throwIfAborted()
        const ended: string[] = []
        await inParallel(page, IN_FLIGHT, async (id) => {
          if ((await op.adapter(model).find(id)) === undefined) ended.push(id)
        })
        page = []
        if (ended.length === 0) return
        const { deletedCount } = await collection.deleteMany(
          { _id: { $in: ended } },
          { writeConcern: { w: 'majority' } },
        )
        this.#of(model).removed += deletedCount
      }
      for await (const { _id } of collection.find({}, { projection: { _id: 1 }, batchSize: PAGE })) {
        page.push(_id)
        if (page.length >= PAGE) await removeFromPage()
      }
      await removeFromPage()
    }
  }

  #rowsOf(states: readonly LiveState[], now: number): Map<string, AnyBulkWriteOperation<Row>[]> {
    const rows = new Map<string, AnyBulkWriteOperation<Row>[]>()
    for (const { model, id, payload } of states) {
      const { exp } = payload
      if (typeof exp === 'number' && exp <= now) this.#of(model).expired += 1
      else if (id === undefined) this.#of(model).withoutId += 1
      else {
        const expiry = typeof exp === 'number' ? { expiresAt: new Date(exp * 1000) } : {}
        const replacement = { payload, ...expiry }
        rows.set(model, [
          ...(rows.get(model) ?? []),
          { replaceOne: { filter: { _id: id }, replacement, upsert: true } },
        ])
      }
    }
    return rows
  }

  async #collectionOf(model: string) {
    const collection = this.#options.to.collection<Row>(classicCollection(model), SETTINGS)
    if (!this.#indexed.has(model)) await collection.createIndexes(classicIndexes(model))
    this.#indexed.add(model)
    return collection
  }

  #of(model: string): ExportedModel {
    this.models[model] ??= { written: 0, expired: 0, withoutId: 0, removed: 0 }
    return this.models[model]
  }
}

async function assertFree(to: Db): Promise<void> {
  if (await isExport(to)) return
  for (const model of MODELS) {
    const name = classicCollection(model)
    if ((await to.collection(name).findOne({})) !== null) throw new TargetInUseError(`${to.databaseName}.${name}`)
  }
}
