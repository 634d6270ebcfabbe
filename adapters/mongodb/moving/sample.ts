import type { Db, Document } from 'mongodb'
import { inParallel } from '../../../lib/in-parallel.ts'
import { MODELS } from '../../../lib/provider/models.ts'
import { SETTINGS } from '../settings.ts'
import { isPlain } from './escapes.ts'

/** Documents of one collection. */
export interface Sample {
  readonly collection: string
  readonly documents: readonly Document[]
}

/** So many collections are looked at at a time. */
const COLLECTIONS_AT_ONCE = 8

/** So many of the first documents are looked at, and as many of the last. */
const AT_EACH_END = 50

/** Some documents of each collection, the oldest and the newest by `_id`. */
export async function samplesOf(db: Db): Promise<Sample[]> {
  const there = await db.listCollections({}, { nameOnly: true }).toArray()
  const names = there.map(({ name }) => name).filter((name) => !name.startsWith('system.'))
  const samples: Sample[] = []
  await inParallel(names, COLLECTIONS_AT_ONCE, async (name) => samples.push(await sampleOf(db, name)))
  return samples.sort((a, b) => (a.collection < b.collection ? -1 : 1))
}

async function sampleOf(db: Db, collection: string): Promise<Sample> {
  const ends = ([1, -1] as const).map((order) =>
    db.collection(collection, SETTINGS).find().sort({ _id: order }).limit(AT_EACH_END).toArray(),
  )
  const [first = [], last = []] = await Promise.all(ends)
  const known = new Set(first.map(({ _id }) => String(_id)))
  return { collection, documents: [...first, ...last.filter(({ _id }) => !known.has(String(_id)))] }
}

/** Whether an object is what oidc-provider hands to an adapter. */
export function isPayload(value: unknown): value is Record<string, unknown> {
  if (!isPlain(value)) return false
  const { kind, jti, client_id: clientId } = value
  if (typeof kind === 'string' && MODELS.includes(kind)) return true
  if (typeof jti === 'string' && (value['iat'] !== undefined || value['exp'] !== undefined)) return true
  return (
    typeof clientId === 'string' &&
    ['redirect_uris', 'grant_types', 'client_secret', 'response_types', 'token_endpoint_auth_method'].some(
      (member) => value[member] !== undefined,
    )
  )
}
