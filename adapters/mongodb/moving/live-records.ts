import type { Payload } from '../../../lib/provider/models.ts'
import { isGrantable } from '../../../lib/provider/models.ts'
import type { AnomalyCode } from './anomalies.ts'
import { classify } from './classify.ts'
import type { CollectionLayout } from './layout.ts'
import type { CompleteOptions } from './options.ts'
import type { SourceRecord } from './read-document.ts'
import type { Source } from './source.ts'

/** A document that is taken. */
export interface LiveRecord {
  readonly collection: string
  readonly model: string
  readonly id: string
  readonly payload: Payload
}

/** What a page of documents comes to. */
export interface LivePage {
  readonly collection: string
  /** How many documents the page has. */
  readonly read: number
  readonly live: readonly LiveRecord[]
  readonly rest: readonly { readonly model: string; readonly verdict: 'expired' | 'left' }[]
  readonly anomalies: readonly { readonly code: AnomalyCode; readonly id: string | undefined }[]
}

/** Reads the source by pages and decides on each document. Every pass, dry run and verification decides alike. */
export async function* liveRecords(source: Source, options: CompleteOptions): AsyncGenerator<LivePage> {
  const hasGrants = await source.hasGrants()
  for (const layout of source.layout.collections) {
    for await (const page of source.pages(layout, options.pageSize)) {
      options.signal?.throwIfAborted()
      yield await decide(page, { source, options, layout, hasGrants })
    }
  }
}

interface Context {
  readonly source: Source
  readonly options: CompleteOptions
  readonly layout: CollectionLayout
  readonly hasGrants: boolean
}

async function decide(page: readonly SourceRecord[], context: Context): Promise<LivePage> {
  const { source, options, layout, hasGrants } = context
  const { collection, recordsUse = true } = layout
  const now = Math.floor(options.clock.now() / 1000)
  const grants = await source.existing('Grant', [...new Set(page.flatMap((record) => grantIdOf(record) ?? []))])
  const live: LiveRecord[] = []
  const rest: { model: string; verdict: 'expired' | 'left' }[] = []
  const anomalies: { code: AnomalyCode; id: string | undefined }[] = []
  for (const record of page) {
    const { verdict, anomalies: codes } = classify(record, { now, recordsUse, codes: options.codes })
    const { model = 'unknown', id, payload } = record
    const grantId = grantIdOf(record)
    const isOrphan = verdict === 'take' && grantId !== undefined && !grants.has(grantId)
    const isFormer = isOrphan && !hasGrants
    for (const code of codes) anomalies.push({ code, id })
    if (isOrphan) anomalies.push({ code: isFormer ? 'former_token' : 'grant_missing', id })
    if (verdict !== 'take' || isFormer || id === undefined || payload === undefined)
      rest.push({ model, verdict: verdict === 'expired' ? 'expired' : 'left' })
    else live.push({ collection, model, id, payload: (await options.transform?.(payload, { model, id })) ?? payload })
  }
  return { collection, read: page.length, live, rest, anomalies }
}

function grantIdOf({ model, payload }: SourceRecord): string | undefined {
  const grantId = model !== undefined && isGrantable(model) ? payload?.['grantId'] : undefined
  return typeof grantId === 'string' && grantId !== '' ? grantId : undefined
}
