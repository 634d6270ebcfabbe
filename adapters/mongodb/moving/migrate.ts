import { CommitInvalidError, CommitTooLargeError, OptionInvalidError } from '../../../lib/errors.ts'
import { inParallel } from '../../../lib/in-parallel.ts'
import type { Mover } from '../../../lib/provider/mover.ts'
import { Anomalies, type Anomaly } from './anomalies.ts'
import { Counts, type ModelCounts } from './counts.ts'
import { endVanished } from './end-vanished.ts'
import { type LivePage, type LiveRecord, liveRecords } from './live-records.ts'
import { type CompleteOptions, completeOptions, type MoveOptions } from './options.ts'
import { Source } from './source.ts'

/** How a pass is made. */
export interface MigrateOptions extends MoveOptions {
  /** Writes nothing, and reports what a pass would do. Default: false. */
  readonly dryRun?: boolean
  /**
   * The former OP has stopped, and nobody writes to the source any more: what was taken over by an earlier pass and is not
   * there any more is ended. Not while it runs: a session whose cookie value rotates is not there for a moment. Nothing is
   * ended once the OP on the log is in use. Default: false.
   */
  readonly stopped?: boolean
}

/** What a pass did, or would do. */
export interface MigrationReport {
  readonly dryRun: boolean
  readonly models: Readonly<Record<string, ModelCounts>>
  readonly anomalies: readonly Anomaly[]
}

/**
 * Takes over what another adapter holds: one pass. It compares each live document of the source with the log and writes what
 * differs, so a pass that was cut short is gone on with by the next one, and each further pass takes what changed since.
 * What the OP on the log has written itself is never touched. The source is only read.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`); LayoutUnknownError (`LAYOUT_UNKNOWN`) when a collection of the layout is
 *   not there; ProviderUnfitError (`PROVIDER_UNFIT`) when `op` has not started; and what the store and the driver throw
 */
export async function migrate(options: MigrateOptions): Promise<MigrationReport> {
  const { dryRun = false, stopped = false } = options
  const complete = completeOptions(options, ['dryRun', 'stopped'])
  const { op } = complete
  for (const [option, value] of Object.entries({ dryRun, stopped })) {
    if (typeof value !== 'boolean') throw new OptionInvalidError(option, 'must be true or false')
  }
  if (!op && !dryRun) throw new OptionInvalidError('op', 'must be given, but for a dry run')
  const source = new Source(complete.from, complete.layout)
  await source.assertThere()
  const pass = new Pass(source, complete, op?.mover, dryRun)
  await pass.take()
  if (op && stopped && !dryRun) await endVanished({ source, mover: op.mover, options: complete, ...pass.tallies })
  return { dryRun, models: pass.tallies.counts.list(), anomalies: pass.tallies.anomalies.list() }
}

class Pass {
  readonly tallies = { counts: new Counts(), anomalies: new Anomalies() }
  readonly #source: Source
  readonly #options: CompleteOptions
  readonly #mover: Mover | undefined
  readonly #dryRun: boolean

  constructor(source: Source, options: CompleteOptions, mover: Mover | undefined, dryRun: boolean) {
    this.#source = source
    this.#options = options
    this.#mover = mover
    this.#dryRun = dryRun
  }

  async take(): Promise<void> {
    const { inFlight, onProgress, signal } = this.#options
    const total = await this.#source.count()
    let read = 0
    for await (const page of liveRecords(this.#source, this.#options)) {
      this.#count(page)
      await inParallel(page.live, inFlight, async (record) => {
        signal?.throwIfAborted()
        await this.#takeOne(record)
      })
      read += page.read
      onProgress?.({ step: 'reading', collection: page.collection, read, total })
    }
    const now = Math.floor(this.#options.clock.now() / 1000)
    for await (const { collection, uid } of this.#source.duplicateUids(now))
      this.tallies.anomalies.add('duplicate_uid', collection, uid)
  }

  #count({ collection, live, rest, anomalies }: LivePage): void {
    const { counts, anomalies: found } = this.tallies
    for (const { model } of live) counts.of(model).read += 1
    for (const { model, verdict } of rest) {
      counts.of(model).read += 1
      counts.of(model)[verdict] += 1
    }
    for (const { code, id } of anomalies) found.add(code, collection, id)
  }

  async #takeOne({ collection, model, id, payload }: LiveRecord): Promise<void> {
    const { counts, anomalies } = this.tallies
    try {
      const take = this.#dryRun ? this.#mover?.preview : this.#mover?.take
      const taken = await take?.call(this.#mover, model, id, payload, this.#source.hasSession)
      counts.of(model)[taken ?? 'stored'] += 1
    } catch (error) {
      if (!(error instanceof CommitTooLargeError) && !(error instanceof CommitInvalidError)) throw error
      counts.of(model).left += 1
      anomalies.add('refused', collection, id)
    }
  }
}
