import { OptionInvalidError } from '../../../lib/errors.ts'
import { assertKnownOptions } from '../../../lib/known-options.ts'
import { isModelName } from '../../../lib/provider/models.ts'

/**
 * How an adapter keeps oidc-provider's state in one collection. Fields are paths: `payload.kind` is the field `kind` of the
 * field `payload`.
 */
export interface CollectionLayout {
  readonly collection: string
  /** The model that all of its documents are of, or the field that names it, in any spelling (`access_token`). */
  readonly model: string | { readonly field: string }
  /** The field with the id that oidc-provider looks for: a string, or an ObjectId, of which it is the 24 digits. */
  readonly id: string
  /** What stands before the id in that field: `4:acme:`. Documents with another beginning are not read. */
  readonly idPrefix?: string
  /** The field with oidc-provider's payload. Absent: its members are fields of the document. */
  readonly payload?: string
  /** Fields of the document that are no members of the payload, where `payload` is absent. `_id` never is one. */
  readonly omit?: readonly string[]
  /** Members of the payload under other names: `{ grandId: 'grantId' }`. */
  readonly rename?: Readonly<Record<string, string>>
  /** What stands for characters in the names of members: `{ '~$': '$' }`. */
  readonly escapes?: Readonly<Record<string, string>>
  /** The field with the time at which MongoDB removes the document: a Date. */
  readonly expiry?: string
  /** Whether that field is the only place where the expiry is, since the payloads have no `exp`. Default: they have. */
  readonly expiryDecides?: boolean
  /** The field that says whether it was used, as a number, a Date or `true`. Default: the payload's `consumed`. */
  readonly consumed?: string
  /** Whether the use of codes and refresh tokens was recorded. Where it was not, codes are left behind. Default: it was. */
  readonly recordsUse?: boolean
  /** Only documents with these values in these fields are read: `{ tenant_id: 'acme' }`. */
  readonly only?: Readonly<Record<string, string | number | boolean>>
}

/** How a database keeps oidc-provider's state. */
export interface Layout {
  readonly collections: readonly CollectionLayout[]
}

const COLLECTION_OPTIONS: ReadonlySet<string> = new Set<keyof CollectionLayout>([
  'collection',
  'model',
  'id',
  'idPrefix',
  'payload',
  'omit',
  'rename',
  'escapes',
  'expiry',
  'expiryDecides',
  'consumed',
  'recordsUse',
  'only',
])

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertLayout(layout: Layout): void {
  if (!Array.isArray(layout?.collections) || layout.collections.length === 0)
    throw new OptionInvalidError('layout', 'must be { collections: [{ collection, model, id, … }] }, with at least one')
  for (const [index, collection] of layout.collections.entries()) assertCollection(collection, index)
}

function assertCollection(layout: CollectionLayout, index: number): void {
  const at = `layout.collections[${index}]`
  assertKnownOptions(layout, COLLECTION_OPTIONS, at)
  for (const option of ['collection', 'id'] as const) {
    if (!isText(layout[option]))
      throw new OptionInvalidError(`${at}.${option}`, 'must be the name of a field or collection')
  }
  for (const option of ['idPrefix', 'payload', 'expiry', 'consumed'] as const) {
    if (layout[option] !== undefined && !isText(layout[option]))
      throw new OptionInvalidError(`${at}.${option}`, 'must be a text that is not empty')
  }
  const { model } = layout
  if (typeof model === 'string' ? !isModelName(model) : !isText(model?.field))
    throw new OptionInvalidError(`${at}.model`, 'must be the name of a model, such as AccessToken, or { field }')
  for (const option of ['rename', 'escapes'] as const) {
    const pairs = Object.entries(layout[option] ?? {})
    if (!pairs.every(([from, to]) => from !== '' && isText(to)))
      throw new OptionInvalidError(`${at}.${option}`, 'must be an object of texts that are not empty')
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
