import type { Db, Document } from 'mongodb'
import { LayoutUnknownError } from '../../../lib/errors.ts'
import { isConsumable } from '../../../lib/provider/models.ts'
import { SETTINGS } from '../settings.ts'
import { isExport } from './classic.ts'
import { hasEscapes, isPlain, KNOWN_ESCAPES } from './escapes.ts'
import type { CollectionLayout, Layout } from './layout.ts'
import { modelOfCollection, modelOfName } from './model-of-name.ts'
import { idOf, secondsOf } from './plain-values.ts'
import { pathOf, readDocument, valueAt } from './read-document.ts'
import { isPayload, type Sample, samplesOf } from './sample.ts'

/** What a look at a database proposes. */
export interface DetectedLayout extends Layout {
  /** Collections that hold something else than oidc-provider's state. */
  readonly ignored: readonly string[]
}

/** Fields of a document that schemas add, and that are no members of a payload. */
const OF_SCHEMAS: readonly string[] = ['__v', 'createdAt', 'updatedAt', 'created_at', 'updated_at']

/** Members of a payload that were seen misspelt. */
const MISSPELT: Readonly<Record<string, string>> = { grandId: 'grantId' }

/** So many parts of the documents of a collection must look alike. */
const MAJORITY = 0.5

/**
 * Looks at some documents of each collection and proposes a layout. Look at it before you use it: what is not among those
 * documents is not seen.
 *
 * @param tenant - whose documents, where ids begin with their tenant
 * @throws LayoutUnknownError (`LAYOUT_UNKNOWN`) when no collection holds what oidc-provider stores, or when there are several
 *   tenants and none was named
 */
export async function detectLayout(db: Db, { tenant }: { readonly tenant?: string } = {}): Promise<DetectedLayout> {
  const samples = await samplesOf(db)
  const proposed = samples.map((sample) => ({ sample, layout: proposal(sample, tenant) }))
  const found = await withDocuments(
    db,
    proposed.flatMap(({ layout }) => layout ?? []),
  )
  if (found.length === 0) {
    throw new LayoutUnknownError(
      `no collection of ${db.databaseName} holds what oidc-provider stores${tenant === undefined ? '' : ` of tenant ${tenant}`}: ` +
        'name the database of the former adapter, or describe its collections with `layout`',
    )
  }
  if (tenant === undefined) for (const layout of found) await assertOneTenant(db, layout)
  const recordsUse = (await isExport(db)) || (await wasUseRecorded(db, found))
  const all = [...found, ...emptyOnes(samples, found)]
  const taken = new Set(all.map(({ collection }) => collection))
  return {
    collections: all.map((layout) => (recordsUse || !mayBeUsedUp(layout) ? layout : { ...layout, recordsUse })),
    ignored: samples.map(({ collection }) => collection).filter((collection) => !taken.has(collection)),
  }
}

/** Collections that are called after a model and hold nothing yet: they are taken to be like the others. */
function emptyOnes(samples: readonly Sample[], found: readonly CollectionLayout[]): CollectionLayout[] {
  const like = found.find(({ model }) => typeof model === 'string' && model !== 'Client')
  if (!like) return []
  return samples.flatMap(({ collection, documents }) => {
    const model = documents.length === 0 ? modelOfCollection(collection) : undefined
    return model === undefined ? [] : [{ ...like, collection, model }]
  })
}

function proposal(sample: Sample, tenant: string | undefined): CollectionLayout | undefined {
  const { collection } = sample
  const payload = payloadField(sample.documents)
  if (payload === undefined) return undefined
  const isFlattened = payload === ''
  const payloadIn = (document: Document): unknown => (isFlattened ? document : document[payload])
  const documents = sample.documents.filter((document) => isPayload(payloadIn(document)))
  const tenants = tenantsOf(documents)
  const prefixed = tenantOf(tenants, tenant)
  if (tenant !== undefined && prefixed === undefined) return undefined
  const expiry = expiryField(documents, isFlattened)
  const id = prefixed ? '_id' : idField(documents, payloadIn, isFlattened ? '' : `${payload}.`)
  const omit = [
    ...OF_SCHEMAS,
    ...(expiry === undefined ? [] : [expiry]),
    ...(['jti', 'client_id'].includes(id) ? [] : [id]),
  ]
  const payloads = documents.map(payloadIn).filter(isPlain)
  const omitted = omit.filter((field) => field !== '_id' && documents.some((document) => field in document))
  return {
    collection,
    model: modelOf(collection, documents, payloads, isFlattened ? 'kind' : `${payload}.kind`),
    id,
    ...(prefixed && { idPrefix: `${prefixed.length}:${prefixed}:`, only: { tenant_id: prefixed } }),
    ...(isFlattened ? omitted.length > 0 && { omit: omitted } : { payload }),
    ...renamed(payloads),
    ...escaped(payloads),
    ...(expiry !== undefined && { expiry }),
    ...(expiry !== undefined && decides(documents, payloads, expiry) && { expiryDecides: true }),
    ...usedBeside(documents, isFlattened),
  }
}

/** The field that holds the payload in most documents; empty: they hold its members. Undefined: there is none. */
function payloadField(documents: readonly Document[]): string | undefined {
  const votes = new Map<string, number>()
  for (const document of documents) {
    const field =
      Object.keys(document).find((name) => isPayload(document[name])) ?? (isPayload(document) ? '' : undefined)
    if (field !== undefined) votes.set(field, (votes.get(field) ?? 0) + 1)
  }
  const [best] = [...votes].sort(([, a], [, b]) => b - a)
  return best && best[1] > documents.length * MAJORITY ? best[0] : undefined
}

/** The field whose value is the id that the payload has: `_id` before others, and the payload's own last. */
function idField(documents: readonly Document[], payloadIn: (document: Document) => unknown, path: string): string {
  const known = documents.flatMap((document) => {
    const { jti, client_id: clientId } = (payloadIn(document) ?? {}) as Record<string, unknown>
    const id = jti ?? clientId
    return typeof id === 'string' ? [{ document, id, own: jti === undefined ? 'client_id' : 'jti' }] : []
  })
  const [{ document: first, own } = { document: {}, own: 'jti' }] = known
  const fields = ['_id', ...Object.keys(first).filter((field) => field !== '_id' && field !== own)]
  const isId = (field: string): boolean => known.every(({ document, id }) => idOf(document[field]) === id)
  // A document that has no id of its own in it is found by `_id`.
  if (known.length === 0) return '_id'
  return fields.find((field) => !(field === 'client_id' && own === 'jti') && isId(field)) ?? `${path}${own}`
}

/** The model of all documents, by the collection's name and their kinds, or the field that tells it. */
function modelOf(
  collection: string,
  documents: readonly Document[],
  payloads: readonly Record<string, unknown>[],
  kindPath: string,
): CollectionLayout['model'] {
  const called = modelOfCollection(collection)
  const kinds = new Set(payloads.map(({ kind }) => kind).filter((kind) => typeof kind === 'string'))
  const known = [...kinds].filter((kind) => modelOfName(kind) !== undefined)
  if (called !== undefined && known.every((kind) => kind === called)) return called
  const fields = [...new Set(documents.flatMap((document) => Object.keys(document)))]
  const names = (field: string): number =>
    documents.filter((document) => typeof document[field] === 'string' && modelOfName(document[field]) !== undefined)
      .length
  const field = fields.find((name) => names(name) > documents.length * MAJORITY)
  return { field: field ?? kindPath }
}

function expiryField(documents: readonly Document[], isFlattened: boolean): string | undefined {
  const fields = [...new Set(documents.flatMap((document) => Object.keys(document)))]
  return fields.find(
    (field) =>
      /^(exp|ttl)/i.test(field) &&
      !(isFlattened && field === 'expiresWithSession') &&
      documents.some((document) => document[field] instanceof Date),
  )
}

/** Whether payloads of documents that expire have no `exp` of their own. */
function decides(
  documents: readonly Document[],
  payloads: readonly Record<string, unknown>[],
  expiry: string,
): boolean {
  const expiring = documents.flatMap((document, at) =>
    secondsOf(document[expiry]) === undefined ? [] : [payloads[at]],
  )
  const without = expiring.filter((payload) => typeof payload?.['exp'] !== 'number')
  return expiring.length > 0 && without.length > expiring.length * MAJORITY
}

function usedBeside(documents: readonly Document[], isFlattened: boolean): { readonly consumed?: string } {
  if (isFlattened) return {}
  const field = ['consumed', 'consumedAt', 'consumed_at'].find((name) => documents.some((document) => name in document))
  return field === undefined ? {} : { consumed: field }
}

function renamed(payloads: readonly Record<string, unknown>[]): { readonly rename?: Readonly<Record<string, string>> } {
  const seen = Object.entries(MISSPELT).filter(([wrong]) => payloads.some((payload) => wrong in payload))
  return seen.length > 0 ? { rename: Object.fromEntries(seen) } : {}
}

function escaped(payloads: readonly Record<string, unknown>[]): {
  readonly escapes?: Readonly<Record<string, string>>
} {
  const escapes = KNOWN_ESCAPES.find((family) => payloads.some((payload) => hasEscapes(payload, family)))
  return escapes ? { escapes } : {}
}

/** The tenants whose names ids begin with, each with its length before it: `4:acme:`. */
function tenantsOf(documents: readonly Document[]): Set<string> {
  const tenants = documents.map(({ _id, tenant_id: tenant }) =>
    typeof tenant === 'string' && String(_id).startsWith(`${tenant.length}:${tenant}:`) ? tenant : undefined,
  )
  return new Set(tenants.every((tenant) => tenant !== undefined) ? tenants : [])
}

function tenantOf(tenants: ReadonlySet<string>, wanted: string | undefined): string | undefined {
  const [first] = tenants
  if (wanted === undefined) return first
  return first === undefined ? undefined : wanted
}

/** Those that hold documents of the tenant that was asked for. */
async function withDocuments(db: Db, layouts: readonly CollectionLayout[]): Promise<CollectionLayout[]> {
  const found = layouts.map(async ({ collection, only = {} }) => db.collection(collection, SETTINGS).findOne(only))
  const documents = await Promise.all(found)
  return layouts.filter((_, index) => documents[index] !== null)
}

async function assertOneTenant(db: Db, { collection, only }: CollectionLayout): Promise<void> {
  if (only === undefined) return
  const other = await db.collection(collection, SETTINGS).findOne({ tenant_id: { $ne: only['tenant_id'] } })
  if (other === null) return
  const names = [only['tenant_id'], other['tenant_id']].join(', ')
  throw new LayoutUnknownError(
    `${collection} holds several tenants (${names}, …): name one with \`tenant\`, and move each to an issuer of its own`,
  )
}

function mayBeUsedUp({ model }: CollectionLayout): boolean {
  return typeof model !== 'string' || isConsumable(model)
}

/** Whether the use of any code or refresh token was recorded; true where there is none of them. */
async function wasUseRecorded(db: Db, layouts: readonly CollectionLayout[]): Promise<boolean> {
  let areThere = false
  for (const layout of layouts.filter(mayBeUsedUp)) {
    const used = layout.consumed ?? pathOf(layout, 'consumed')
    const documents = db.collection(layout.collection, SETTINGS)
    if (await documents.findOne({ [used]: { $exists: true, $nin: [null, false] } })) return true
    for await (const document of documents.find().limit(100)) {
      const { model } = readDocument(layout, document)
      areThere ||= model !== undefined && isConsumable(model) && valueAt(document, layout.id) !== undefined
    }
  }
  return !areThere
}
