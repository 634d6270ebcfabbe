import type { Document } from 'mongodb'
import type { Payload } from '../../../lib/provider/models.ts'
import { isPlain, unescapeNames } from './escapes.ts'
import type { CollectionLayout } from './layout.ts'
import { modelOfName } from './model-of-name.ts'
import { idOf, plainPayload, secondsOf } from './plain-values.ts'

/** What a document of the other adapter says. */
export interface SourceRecord {
  /** Undefined: nobody knows what it is. */
  readonly model: string | undefined
  /** Undefined: it has none that oidc-provider could look for. */
  readonly id: string | undefined
  /** As oidc-provider had handed it over. Undefined: there is none. */
  readonly payload: Payload | undefined
  /** When MongoDB removes the document, in seconds since 1970; `invalid`: there is something else than a time. */
  readonly expiry: number | 'invalid' | undefined
}

/** Reads a document by its layout. Pure. */
export function readDocument(layout: CollectionLayout, document: Document): SourceRecord {
  const payload = payloadOf(layout, document)
  const expiry = layout.expiry === undefined ? undefined : expiryOf(valueAt(document, layout.expiry))
  const model = modelOf(layout, document, payload)
  return {
    model,
    id: prefixedId(layout, document, model),
    payload: payload && withExpiry(layout, withUse(layout, document, payload), expiry),
    expiry,
  }
}

/** The value of a field by its path. */
export function valueAt(document: Document, path: string): unknown {
  let value: unknown = document
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

/** The path of a payload's member in the document. */
export function pathOf(layout: CollectionLayout, member: string): string {
  const [stored = member] = Object.entries(layout.rename ?? {}).find(([, name]) => name === member) ?? []
  return layout.payload === undefined ? stored : `${layout.payload}.${stored}`
}

/** The path of the id. Where it is the payload's own, a client has another one than everything else. */
export function idPath(layout: CollectionLayout, model: string | undefined): string {
  return model === 'Client' && layout.id === pathOf(layout, 'jti') ? pathOf(layout, 'client_id') : layout.id
}

function payloadOf(layout: CollectionLayout, document: Document): Payload | undefined {
  const stored = layout.payload === undefined ? membersOf(layout, document) : valueAt(document, layout.payload)
  if (!isPlain(stored)) return undefined
  const named = layout.escapes ? (unescapeNames(stored, layout.escapes) as Record<string, unknown>) : stored
  const { rename = {} } = layout
  const renamed = Object.entries(named).map(([name, value]) => [
    Object.hasOwn(rename, name) ? rename[name] : name,
    value,
  ])
  return plainPayload(Object.fromEntries(renamed) as Record<string, unknown>)
}

function membersOf({ omit = [] }: CollectionLayout, document: Document): Record<string, unknown> {
  return Object.fromEntries(Object.entries(document).filter(([name]) => name !== '_id' && !omit.includes(name)))
}

function modelOf({ model }: CollectionLayout, document: Document, payload: Payload | undefined): string | undefined {
  const kind = payload?.['kind']
  if (typeof model === 'string') return kind === undefined || kind === model ? model : undefined
  const named = valueAt(document, model.field)
  if (typeof named === 'string') return modelOfName(named)
  // Of all models only clients have no `kind`.
  return named === undefined && typeof payload?.['client_id'] === 'string' ? 'Client' : undefined
}

function prefixedId(layout: CollectionLayout, document: Document, model: string | undefined): string | undefined {
  const { idPrefix = '' } = layout
  const id = idOf(valueAt(document, idPath(layout, model)))
  return id?.startsWith(idPrefix) ? idOf(id.slice(idPrefix.length)) : undefined
}

function expiryOf(value: unknown): number | 'invalid' | undefined {
  return value === undefined || value === null ? undefined : (secondsOf(value) ?? 'invalid')
}

/** oidc-provider takes any value for "used", and a number for the time of it. */
function withUse(layout: CollectionLayout, document: Document, payload: Payload): Payload {
  const { consumed, ...unused } = payload
  const value = layout.consumed === undefined ? consumed : (valueAt(document, layout.consumed) ?? consumed)
  if (value === undefined || value === null || value === false) return unused
  return {
    ...unused,
    consumed: secondsOf(value) ?? secondsOf(new Date(String(value))) ?? secondsOf(payload['iat']) ?? 1,
  }
}

function withExpiry(
  { expiryDecides = false }: CollectionLayout,
  payload: Payload,
  expiry: SourceRecord['expiry'],
): Payload {
  const { exp, ...rest } = payload
  if (typeof exp === 'number') return payload
  if (expiryDecides && typeof expiry === 'number') return { ...rest, exp: expiry }
  return exp === null ? rest : payload
}
