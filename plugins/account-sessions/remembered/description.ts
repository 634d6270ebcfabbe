import type { JsonObject } from '../../../lib/index.ts'

/** What is remembered of where a login came from. All of it is shown to the account, and to nobody else. */
export interface LoginDescription {
  /** The address, or as much of it as is to be kept. */
  readonly ip?: string
  /** The browser or the app, as it calls itself. */
  readonly userAgent?: string
  /** What people call it: `Firefox on Linux`. Shown in place of `userAgent`. */
  readonly label?: string
  /** Where it was, in words: `Vienna, Austria`. */
  readonly place?: string
}

const FIELDS = ['ip', 'userAgent', 'label', 'place'] as const

/** So many characters of each field are kept: a header may be as long as somebody wants. */
export const DESCRIPTION_LIMIT: number = 200

/** As much of a description as is kept; what is no text is left out. */
export function boundedDescription(description: unknown): LoginDescription {
  if (typeof description !== 'object' || description === null) return {}
  return Object.fromEntries(
    FIELDS.flatMap((field) => {
      const value = (description as Readonly<Record<string, unknown>>)[field]
      const text = typeof value === 'string' ? cut(value) : ''
      return text === '' ? [] : [[field, text]]
    }),
  )
}

/** What the session's note holds. */
export function descriptionIn(note: JsonObject | undefined): LoginDescription {
  return boundedDescription(note?.['description'])
}

/** By whole characters, and without those that are none to read. */
function cut(text: string): string {
  const readable = text
    .slice(0, 10 * DESCRIPTION_LIMIT)
    .toWellFormed()
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
  return [...readable].slice(0, DESCRIPTION_LIMIT).join('')
}
