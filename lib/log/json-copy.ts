import type { JsonObject } from './commit.ts'

/** Objects and arrays lie this deep in each other at most: MongoDB takes 100 levels, and a commit has some of its own. */
const DEPTH_LIMIT = 90

/** What a value of JSON takes beside its text, at most, in bytes: its kind, and its length or what ends it. */
const OVERHEAD_BYTES = 6

/** A copy that nobody else can change. */
export interface JsonCopy {
  readonly copy: JsonObject
  /** What it takes at most as BSON, in bytes: no less than it takes as JSON, but for escapes. */
  readonly bytes: number
}

/**
 * Copies an object as `JSON.parse(JSON.stringify(data))` does, in one walk: `toJSON()` is called, what is undefined is
 * left out.
 *
 * @param refuse - called with what is wrong with data that not every store could give back as they were: databases know
 *   no half characters, and no NUL in a key
 */
export function copyJson(data: unknown, refuse: (what: string) => never): JsonCopy {
  const walk = new Walk(refuse)
  const copy = walk.value('', data, 0)
  if (typeof copy !== 'object' || copy === null || Array.isArray(copy)) return refuse('must be an object')
  return { copy: copy as JsonObject, bytes: walk.bytes }
}

class Walk {
  bytes = 0
  readonly #refuse: (what: string) => never

  constructor(refuse: (what: string) => never) {
    this.#refuse = refuse
  }

  /** Undefined: JSON has no such value. */
  value(key: string, value: unknown, depth: number): unknown {
    switch (typeof value) {
      case 'string':
        return this.#text(key, value)
      case 'number':
        this.bytes += OVERHEAD_BYTES + 8
        return Number.isFinite(value) ? value + 0 : null // no -0
      case 'boolean':
        this.bytes += OVERHEAD_BYTES
        return value
      case 'bigint':
        return this.#refuse('is not JSON: it holds a BigInt')
      case 'object':
        this.bytes += OVERHEAD_BYTES
        return value === null ? null : this.#object(key, value, depth)
      default:
        return undefined
    }
  }

  #object(key: string, value: object, depth: number): unknown {
    const plain = asJson(key, value)
    if (typeof plain !== 'object' || plain === null) return this.value(key, plain, depth)
    if (depth === DEPTH_LIMIT) return this.#refuse(`is cyclic, or deeper than ${DEPTH_LIMIT} levels`)
    return Array.isArray(plain) ? this.#list(plain, depth) : this.#members(plain as Record<string, unknown>, depth)
  }

  #text(key: string, text: string): string {
    if (!text.isWellFormed()) return this.#refuse(`holds text with half a surrogate pair at "${key}"`)
    this.bytes += OVERHEAD_BYTES + Buffer.byteLength(text)
    return text
  }

  #list(list: readonly unknown[], depth: number): unknown[] {
    const indexBytes = String(list.length).length
    return Array.from(list, (item, index) => {
      this.bytes += indexBytes
      return this.value(String(index), item, depth + 1) ?? null
    })
  }

  #members(members: Record<string, unknown>, depth: number): JsonObject {
    const copy: Record<string, unknown> = {}
    for (const key of Object.keys(members)) {
      const value = this.value(key, members[key], depth + 1)
      if (value === undefined) continue
      if (key.includes('\0') || !key.isWellFormed())
        return this.#refuse(`has a key that cannot be stored: ${JSON.stringify(key)}`)
      this.bytes += Buffer.byteLength(key)
      if (key === '__proto__') Object.defineProperty(copy, key, { value, enumerable: true, configurable: true })
      else copy[key] = value
    }
    return copy as JsonObject
  }
}

/** The value that stands for an object in JSON: most stand for themselves. */
function asJson(key: string, value: object): unknown {
  if ('toJSON' in value && typeof value.toJSON === 'function') return value.toJSON(key)
  const isBoxed = value instanceof String || value instanceof Number || value instanceof Boolean
  return isBoxed ? value.valueOf() : value
}
