/** What adapters write for the characters that MongoDB did not take in field names. */
export const KNOWN_ESCAPES: readonly Readonly<Record<string, string>>[] = [
  { '~$': '$', '~.': '.' },
  { '\uff04': '$', '\uff0e': '.' },
  { '%24': '$', '%2E': '.' },
  { '&#36;': '$', '&#46;': '.' },
  { '\\u0024': '$', '\\u002e': '.' },
  { '[dollar]': '$', '[dot]': '.' },
]

/**
 * Puts the characters back into the names of all members, however deep.
 *
 * @param escapes - what stands for which characters
 */
export function unescapeNames(value: unknown, escapes: Readonly<Record<string, string>>): unknown {
  const pattern = patternOf(Object.keys(escapes))
  const nameOf = (name: string): string => name.replace(pattern, (found) => escapes[found] ?? found)
  const unescaped = (inner: unknown): unknown => {
    if (Array.isArray(inner)) return inner.map(unescaped)
    if (!isPlain(inner)) return inner
    return Object.fromEntries(Object.entries(inner).map(([name, member]) => [nameOf(name), unescaped(member)]))
  }
  return unescaped(value)
}

/** Whether the name of any member, however deep, holds one of these. */
export function hasEscapes(value: unknown, escapes: Readonly<Record<string, string>>): boolean {
  if (Array.isArray(value)) return value.some((inner) => hasEscapes(inner, escapes))
  if (!isPlain(value)) return false
  return Object.entries(value).some(
    ([name, member]) => Object.keys(escapes).some((escaped) => name.includes(escaped)) || hasEscapes(member, escapes),
  )
}

/** Whether it is an object of members, and no value of BSON (ObjectId, Date, …). */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** The longest first, all in one pass: what a replacement makes is not replaced again. */
function patternOf(escapes: readonly string[]): RegExp {
  const longestFirst = [...escapes].sort((a, b) => b.length - a.length)
  return new RegExp(longestFirst.map((escaped) => escaped.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g')
}
