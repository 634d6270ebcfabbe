import { createHash } from 'node:crypto'
import { type Json, OptionInvalidError } from '../../../lib/index.ts'
import { assertKnown, assertReading } from '../recording/criteria.ts'

/** A part of a list, for whoever cannot hold an iterator open: a page in a browser, say. */
export interface Page<T> {
  readonly items: readonly T[]
  /**
   * Where the list goes on: `cursor` of the next call. Absent: this was the end. A page may have fewer items than the limit,
   * even none, and this: it has looked at as much as one call may cost.
   */
  readonly next?: string
  /** How many candidates were looked at for it. */
  readonly looked: number
}

/** Which part of a list. */
export interface PageOptions<T> {
  /** `next` of the page before. Default: the list begins. */
  readonly cursor?: string
  /** At most so many items, up to 1,000. Default: 50. */
  readonly limit?: number
  /** Only items of which this says yes. What it leaves out counts as looked at. */
  readonly where?: (item: T) => boolean
}

/** How many items a page has, where nobody says, and at most. */
const USUAL = 50
const MOST = 1_000

/** How long a cursor may be: the lists make none that comes near. */
const CURSOR_CHARS = 8_192

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertPage<T>(options: PageOptions<T>): void {
  assertKnown(options, ['cursor', 'limit', 'where'])
  const { limit, where } = options
  assertReading(limit === undefined ? {} : { limit })
  if (limit !== undefined && limit > MOST) throw new OptionInvalidError('limit', `must be at most ${MOST}`)
  if (where !== undefined && typeof where !== 'function')
    throw new OptionInvalidError('where', 'must be a function that says of an item whether it is meant')
}

export function limitOf({ limit = USUAL }: { readonly limit?: number }): number {
  return limit
}

/** A place in a list, as text that is good for that list alone. */
export function cursorAt(list: string, place: Json): string {
  return Buffer.from(JSON.stringify([digestOf(list), place])).toString('base64url')
}

/**
 * The place that a cursor names.
 *
 * @param isPlace - whether it is one of this list: a cursor comes from outside
 * @throws OptionInvalidError (`OPTION_INVALID`) where it is not one of the list's
 */
export function placeAt<T>(
  list: string,
  cursor: string | undefined,
  isPlace: (place: unknown) => place is T,
): T | undefined {
  if (cursor === undefined) return undefined
  const parsed = typeof cursor === 'string' && cursor.length <= CURSOR_CHARS ? parse(cursor) : undefined
  if (Array.isArray(parsed) && parsed.length === 2 && parsed[0] === digestOf(list) && isPlace(parsed[1]))
    return parsed[1]
  throw new OptionInvalidError('cursor', 'must be `next` of a page of the same list')
}

/**
 * Whether a value is an object with these members, of these types; a name that ends with `?` may be absent. `whole`: a whole
 * number from 0, as positions are.
 */
export function hasShape(value: unknown, shape: Readonly<Record<string, 'number' | 'string' | 'whole'>>): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(shape).every(([name, type]) => {
    const isOptional = name.endsWith('?')
    const member = (value as Readonly<Record<string, unknown>>)[isOptional ? name.slice(0, -1) : name]
    if (member === undefined) return isOptional
    if (type === 'whole') return typeof member === 'number' && Number.isSafeInteger(member) && member >= 0
    return type === 'number' ? typeof member === 'number' && Number.isFinite(member) : typeof member === 'string'
  })
}

/** The name of a list is as long as what is asked for. */
function digestOf(list: string): string {
  return createHash('sha256').update(list).digest('base64url').slice(0, 22)
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return undefined
  }
}
