import { ObjectId } from 'mongodb'
import { isPlain } from './escapes.ts'

/** Members of a payload that are times, in seconds since 1970. Some schemas have made Dates of them. */
const TIMES: ReadonlySet<string> = new Set(['iat', 'exp', 'loginTs', 'consumed', 'nbf'])

/** Beyond this a number of seconds since 1970 is one of milliseconds: the year 5138. */
const MAX_SECONDS = 1e11

/** The JSON that oidc-provider had handed over: what BSON and schemas have made of numbers and ids is undone. */
export function plainPayload(payload: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(payload).map(([name, value]) => [
    name,
    TIMES.has(name) && value instanceof Date ? secondsOf(value) : plainValue(value),
  ])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainValue)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (isPlain(value)) return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plainValue(inner)]))
  if (typeof value !== 'object' || value === null) return value
  const { _bsontype: type } = value as { readonly _bsontype?: unknown }
  if (type === 'ObjectId') return String(value)
  if (type === 'Long' || type === 'Decimal128' || type === 'Double' || type === 'Int32') return Number(String(value))
  return JSON.parse(JSON.stringify(value)) as unknown
}

/**
 * A time of a field, in seconds since 1970. Undefined: it is none. An Invalid Date is stored as 1970, so that is none
 * either.
 */
export function secondsOf(value: unknown): number | undefined {
  if (value instanceof Date) return secondsOf(value.getTime() / 1000)
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) return undefined
  return Math.floor(value > MAX_SECONDS ? value / 1000 : value)
}

/** An id as oidc-provider has it. Undefined: it is none. */
export function idOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value
  return isObjectId(value) ? String(value) : undefined
}

export function isObjectId(value: unknown): boolean {
  return typeof value === 'object' && value !== null && '_bsontype' in value && value._bsontype === 'ObjectId'
}

/** The values by which a document with this id may be found. */
export function storedIds(id: string, prefix = ''): (string | ObjectId)[] {
  const isHex = prefix === '' && /^[0-9a-f]{24}$/.test(id)
  return isHex ? [id, new ObjectId(id)] : [`${prefix}${id}`]
}
