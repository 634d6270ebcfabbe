import type { Document } from 'mongodb'
import type { AdapterPayload } from 'oidc-provider'
import type { CollectionLayout } from '../../adapters/mongodb/moving/index.ts'
import type { FormerStyle } from './former-adapter.ts'

/** One of the layouts that were seen in public. */
export interface KnownLayout {
  readonly name: string
  readonly style: FormerStyle
  /** What is to be proposed for a collection. */
  readonly proposed: (model: string) => Partial<CollectionLayout>
  /** Whether codes and refresh tokens are never marked as used. */
  readonly losesUse?: boolean
  /** Whether sessions of the same uid cannot both be stored. */
  readonly uniqueUid?: boolean
  /** Whether several models share a collection. */
  readonly shared?: boolean
  readonly secretsEncrypted?: boolean
  /** Whether documents have no date of their own beside the payload's `exp`. */
  readonly expiryIsNone?: boolean
}

const snake = (model: string): string => model.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase()
const asPayload = (document: Document): AdapterPayload => document as AdapterPayload
/** Clients never expire. */
const expires = (model: string): { expiry?: string } => (model === 'Client' ? {} : { expiry: 'expiresAt' })
const epoch = (now: number): Document => ({ 'payload.consumed': now })
const expiring = (field: string, at: Date | undefined): Document => (at ? { [field]: at } : {})

/** Of a wrapped payload, as the example of oidc-provider 6 to 8.8 has it. */
function wrapped(collection: (model: string) => string): FormerStyle {
  return {
    collection,
    byId: (_, id) => ({ _id: id }),
    path: (member) => `payload.${member}`,
    document: (_model, _id, payload, expiresAt) => ({ payload, ...expiring('expiresAt', expiresAt) }),
    payload: ({ payload }) => asPayload(payload),
    consumed: epoch,
  }
}

/** Of a payload whose members are fields of the document. */
function flattened(collection: (model: string) => string, not: readonly string[] = ['_id', 'expiresAt']): FormerStyle {
  return {
    collection,
    byId: (_, id) => ({ _id: id }),
    path: (member) => member,
    document: (_model, _id, payload, expiresAt) => ({ ...payload, ...expiring('expiresAt', expiresAt) }),
    payload: (document) =>
      asPayload(Object.fromEntries(Object.entries(document).filter(([field]) => !not.includes(field)))),
    consumed: () => ({ consumed: new Date() }),
  }
}

const escapeNames = (value: unknown, from: RegExp, to: string): unknown => {
  if (Array.isArray(value)) return value.map((inner) => escapeNames(inner, from, to))
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name.replaceAll(from, to), escapeNames(inner, from, to)]),
  )
}

/** Pascal case, keys escaped, the grant's id misspelt. */
const escaping: FormerStyle = {
  ...flattened((model) => model),
  path: (member) => (member === 'grantId' ? 'grandId' : member),
  document: (_model, _id, { grantId, ...payload }, expiresAt) => ({
    ...(escapeNames(payload, /\$/g, '~$') as Document),
    ...(grantId !== undefined && { grandId: grantId }),
    ...expiring('expiresAt', expiresAt),
  }),
  payload: ({ _id, expiresAt, grandId, ...document }) =>
    asPayload({
      ...(escapeNames(document, /~\$/g, '$') as Document),
      ...(grandId !== undefined && { grantId: grandId }),
    }),
  consumed: (now) => ({ consumed: now }),
}

const tenant: FormerStyle = {
  collection: (model) => model,
  byId: (_, id) => ({ _id: `4:acme:${id}` }),
  path: (member) => `data.${member}`,
  also: () => ({ tenant_id: 'acme' }),
  document: (_model, id, data, expiresAt) => ({
    tenant_id: 'acme',
    logical_id: id,
    data:
      data['client_secret'] === undefined
        ? data
        : {
            ...data,
            client_secret: { iv: 'AAAA', sealed: Buffer.from(String(data['client_secret'])).toString('base64') },
          },
    ...expiring('expiresAt', expiresAt),
  }),
  payload: ({ data }) =>
    asPayload(
      data.client_secret === undefined
        ? data
        : { ...data, client_secret: Buffer.from(data.client_secret.sealed, 'base64').toString() },
    ),
  consumed: (now) => ({ 'data.consumed': now }),
}

/** Decrypts the secrets of clients of the tenant's layout. */
export function decrypted(payload: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { client_secret: secret } = payload as { client_secret?: { sealed?: string } }
  if (secret?.sealed === undefined) return payload
  return { ...payload, client_secret: Buffer.from(secret.sealed, 'base64').toString() }
}

const inOne = (collection: string, style: Partial<FormerStyle>): FormerStyle => ({
  ...wrapped(() => collection),
  ...style,
})

/** Counted as in docs/guides/moving-in.md. */
export const FIFTEEN: readonly KnownLayout[] = [
  {
    name: '1: the example of oidc-provider 6 to 8.8',
    style: wrapped(snake),
    proposed: (model) => ({ collection: snake(model), model, id: '_id', payload: 'payload', ...expires(model) }),
  },
  {
    name: '2: the same without TTL index, so with documents that expired long ago',
    style: wrapped(snake),
    proposed: (model) => ({ collection: snake(model), model, id: '_id', payload: 'payload', ...expires(model) }),
  },
  {
    name: '3: the same with Invalid Dates and a misspelt collection',
    expiryIsNone: true,
    style: {
      ...wrapped((model) => (model === 'AuthorizationCode' ? 'authoriztion_code' : snake(model))),
      document: (_model, _id, payload) => ({ payload, expiresAt: new Date(Number.NaN) }),
    },
    proposed: (model) => ({
      collection: model === 'AuthorizationCode' ? 'authoriztion_code' : snake(model),
      model,
      payload: 'payload',
      expiry: 'expiresAt',
    }),
  },
  {
    name: '4: the example of oidc-provider 4 and 5, flattened, used at a Date',
    style: flattened(snake),
    proposed: (model) => ({ collection: snake(model), model, id: '_id', ...expires(model) }),
  },
  {
    name: '5: flattened, in collections with a prefix',
    style: flattened((model) => `oidc_${snake(model)}`),
    proposed: (model) => ({ collection: `oidc_${snake(model)}`, model, id: '_id' }),
  },
  {
    name: '6: flattened, Pascal case, escaped, with `grandId`',
    style: escaping,
    uniqueUid: true,
    proposed: (model) => ({
      collection: model,
      model,
      id: '_id',
      ...(model === 'Session' && { escapes: { '~$': '$', '~.': '.' } }),
      ...(model === 'AccessToken' && { rename: { grandId: 'grantId' } }),
    }),
  },
  {
    name: '7: wrapped, Pascal case',
    style: wrapped((model) => model),
    proposed: (model) => ({ collection: model, model, id: '_id', payload: 'payload' }),
  },
  {
    name: '8: Pascal case, expiry in `expires` alone, clients with an ObjectId',
    expiryIsNone: true,
    style: {
      ...wrapped((model) => model),
      byId: (model, id) => (model === 'Client' ? { client_id: id } : { _id: id }),
      document: (model, _id, { exp, ...payload }, expiresAt) =>
        model === 'Client' ? payload : { payload, ...expiring('expires', expiresAt) },
      payload: ({ _id, payload, expires, ...client }) =>
        asPayload(payload ? { ...payload, ...(expires && { exp: Math.floor(expires.getTime() / 1000) }) } : client),
    },
    proposed: (model) =>
      model === 'Client'
        ? { collection: 'Client', model, id: 'client_id' }
        : { collection: model, model, id: '_id', payload: 'payload', expiry: 'expires', expiryDecides: true },
  },
  {
    name: '9: of tenants, with the secrets of clients encrypted',
    style: tenant,
    secretsEncrypted: true,
    proposed: (model) => ({
      collection: model,
      model,
      id: '_id',
      idPrefix: '4:acme:',
      payload: 'data',
      only: { tenant_id: 'acme' },
    }),
  },
  {
    name: '10: one collection, the model in `payload.kind`',
    style: inOne('oidc', {}),
    shared: true,
    proposed: () => ({ collection: 'oidc', model: { field: 'payload.kind' }, id: '_id', payload: 'payload' }),
  },
  {
    name: '11: one collection, the id in `uid`, used is `true`',
    style: inOne('oidc_store', {
      byId: (kind, id) => ({ uid: id, kind }),
      path: (member) => `data.${member}`,
      document: (kind, id, data, expiresAt) => ({ uid: id, kind, data, ...expiring('expiresAt', expiresAt) }),
      payload: ({ data }) => asPayload(data),
      consumed: () => ({ 'data.consumed': true }),
      uidIsId: true,
    }),
    shared: true,
    proposed: () => ({ collection: 'oidc_store', model: { field: 'kind' }, id: 'uid', payload: 'data' }),
  },
  {
    name: '12: one collection with `type` and `id`',
    style: inOne('oidc_models', {
      byId: (type, id) => ({ type, id }),
      also: (type) => ({ type }),
      document: (type, id, payload, expiresAt) => ({ type, id, payload, ...expiring('expiresAt', expiresAt) }),
    }),
    shared: true,
    proposed: () => ({ collection: 'oidc_models', model: { field: 'type' }, id: 'id', payload: 'payload' }),
  },
  {
    name: '13: `basemodels`, which never records use',
    style: inOne('basemodels', {
      byId: (kind, key) => ({ key, ...(kind !== 'Client' && { 'payload.kind': kind }) }),
      also: (kind) => ({ 'payload.kind': kind }),
      document: (_model, key, payload, expiresAt) => ({ key, payload, ...expiring('expiresAt', expiresAt), __v: 0 }),
      consumed: () => ({ __v: 0 }), // the schema drops what it does not know
    }),
    shared: true,
    losesUse: true,
    proposed: () => ({
      collection: 'basemodels',
      model: { field: 'payload.kind' },
      id: 'key',
      payload: 'payload',
      recordsUse: false,
    }),
  },
  {
    name: '14: lower-case plurals, the id in `oidcId`',
    style: {
      ...flattened((model) => `${model.toLowerCase()}s`, ['_id', 'oidcId', 'expiresAt', '__v']),
      byId: (_, oidcId) => ({ oidcId }),
      document: (_model, oidcId, payload, expiresAt) => ({
        ...payload,
        oidcId,
        ...expiring('expiresAt', expiresAt),
        __v: 0,
      }),
      consumed: (now) => ({ consumed: now }),
    },
    proposed: (model) => ({ collection: `${model.toLowerCase()}s`, model, id: 'oidcId' }),
  },
  {
    name: '15: all models in a collection `Session`, flattened',
    style: {
      ...flattened(() => 'Session', ['_id', 'expiresAt']),
      byId: (model, id) => (model === 'Client' ? { client_id: id } : { jti: id, kind: model }),
      also: (kind) => ({ kind }),
    },
    shared: true,
    proposed: () => ({ collection: 'Session', model: { field: 'kind' }, id: 'jti' }),
  },
]
