import { isDeepStrictEqual } from 'node:util'
import { OptionInvalidError } from '../../../lib/errors.ts'
import type { EventSourced } from '../../../lib/event-sourced.ts'
import { inParallel } from '../../../lib/in-parallel.ts'
import type { Payload } from '../../../lib/provider/models.ts'
import { shortHash } from './anomalies.ts'
import { type LiveRecord, liveRecords } from './live-records.ts'
import { completeOptions, type MoveOptions } from './options.ts'
import { Source } from './source.ts'

/** How the log is held against the source. */
export interface VerifyOptions extends MoveOptions {
  readonly op: EventSourced
  /** One in so many documents is asked for through both adapters. Default: 100; 1: all. */
  readonly sampleEvery?: number
}

/** How the log and the source agree, of one model. */
export interface VerifiedModel {
  /** Live documents of the source. */
  live: number
  /** Those that are in the log as they are. */
  same: number
  /** Those that are an older state of a session that is in the log. */
  older: number
  /** Those that the OP on the log has written or ended itself since. */
  kept: number
  /** Those that are not in the log, or differ. */
  different: number
  /** Those that were asked for through both adapters. */
  sampled: number
}

/** Whether all that is to be there is there. */
export interface Verification {
  /** Nothing is missing, and nothing differs. */
  readonly agrees: boolean
  readonly models: Readonly<Record<string, VerifiedModel>>
  /** A few of the differences: the collection, and the beginning of the SHA-256 of the id. */
  readonly differences: readonly string[]
}

/** So many differences are told. */
const DIFFERENCES = 20

/**
 * Holds the log against the source. Every live document is compared with what the log holds of it; some are asked for
 * through both adapters, by id, and by uid and user code where they have one. Nothing is written.
 *
 * @throws as `migrate`
 */
export async function verify(options: VerifyOptions): Promise<Verification> {
  const { op, sampleEvery = 100 } = options
  const complete = completeOptions(options, ['sampleEvery'])
  if (!op) throw new OptionInvalidError('op', 'must be given')
  if (!Number.isSafeInteger(sampleEvery) || sampleEvery < 1)
    throw new OptionInvalidError('sampleEvery', 'must be a whole number from 1')
  const source = new Source(complete.from, complete.layout)
  await source.assertThere()
  const total = await source.count()
  const models = new Map<string, VerifiedModel>()
  const differences: string[] = []
  let read = 0
  for await (const page of liveRecords(source, complete)) {
    await inParallel(page.live, complete.inFlight, async (record) => {
      const counts = countsOf(models, record.model)
      counts.live += 1
      const isSampled = counts.live % sampleEvery === 1 % sampleEvery
      const agreement = await compare(record, { source, op, isSampled, transformed: options.transform !== undefined })
      counts[agreement] += 1
      if (isSampled) counts.sampled += 1
      if (agreement === 'different' && differences.length < DIFFERENCES)
        differences.push(`${record.collection}#${shortHash(record.id)}`)
    })
    read += page.read
    complete.onProgress?.({ step: 'verifying', collection: page.collection, read, total })
  }
  const agrees = [...models.values()].every(({ different }) => different === 0)
  return { agrees, models: Object.fromEntries(models), differences }
}

interface Both {
  readonly source: Source
  readonly op: EventSourced
  readonly isSampled: boolean
  /** Then the adapters answer differently by intention. */
  readonly transformed: boolean
}

type Agreement = 'same' | 'older' | 'kept' | 'different'

async function compare(
  { model, id, payload }: LiveRecord,
  { source, op, isSampled, transformed }: Both,
): Promise<Agreement> {
  const taken = await op.mover.preview(model, id, payload, source.hasSession)
  if (taken === 'stored') return 'different'
  if (taken !== 'same' || !isSampled) return taken
  const adapter = op.adapter(model)
  const { uid, userCode } = payload
  const found: (Payload | undefined)[] = [await adapter.find(id)]
  if (model === 'Session') found.push(await adapter.findByUid(String(uid)))
  if (model === 'DeviceCode' && typeof userCode === 'string') found.push(await adapter.findByUserCode(userCode))
  const former = transformed ? payload : (await source.find(model, id))?.payload
  return found.every((answer) => isDeepStrictEqual(plain(answer), plain(former))) ? 'same' : 'different'
}

function plain(payload: Payload | undefined): unknown {
  return payload && JSON.parse(JSON.stringify(payload))
}

function countsOf(models: Map<string, VerifiedModel>, model: string): VerifiedModel {
  const counts = models.get(model) ?? { live: 0, same: 0, older: 0, kept: 0, different: 0, sampled: 0 }
  models.set(model, counts)
  return counts
}
