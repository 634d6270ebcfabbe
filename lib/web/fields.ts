import { WebError } from './web-error.ts'

/** What a request says, by name: the fields of a JSON object, or the parameters of a query. */
export type Fields = Readonly<Record<string, unknown>>

/** The parameters of a query. A form sends those that were left empty, too. */
export function queryFields(query: URLSearchParams): Fields {
  return Object.fromEntries([...query].filter(([, value]) => value !== ''))
}

/** As long as the longest name of strangers that is recorded: what a list tells must be good for asking. */
const MOST_CHARS = 1_024

/** A misspelt `dryRun` must not end anything. */
export function assertKnown(fields: Fields, known: readonly string[]): void {
  for (const name of Object.keys(fields)) {
    if (!known.includes(name)) throw invalid(name, `is not known; known are ${known.join(', ')}`)
  }
}

/** @param most - how many characters it has at most */
export function text(fields: Fields, name: string, most: number = MOST_CHARS): string | undefined {
  const value = fields[name]
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '' || value.length > most)
    throw invalid(name, `must be text, of ${most.toLocaleString('en')} characters at most`)
  return value
}

export function requiredText(fields: Fields, name: string, most?: number): string {
  const value = text(fields, name, most)
  if (value === undefined) throw invalid(name, 'is missing')
  return value
}

export function flag(fields: Fields, name: string): boolean | undefined {
  const value = fields[name]
  if (value !== undefined && typeof value !== 'boolean') throw invalid(name, 'must be true or false')
  return value
}

/** A whole number from zero on: as one in JSON, as its digits in a query. */
export function wholeNumber(fields: Fields, name: string): number | undefined {
  const value = fields[name]
  if (value === undefined) return undefined
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0)
    throw invalid(name, 'must be a whole number')
  return number
}

export function oneOf<T extends string>(fields: Fields, name: string, known: readonly T[]): T | undefined {
  const value = fields[name]
  if (value === undefined) return undefined
  const found = known.find((one) => one === value)
  if (found === undefined) throw invalid(name, `must be one of ${known.join(', ')}`)
  return found
}

export function requiredOneOf<T extends string>(fields: Fields, name: string, known: readonly T[]): T {
  const value = oneOf(fields, name, known)
  if (value === undefined) throw invalid(name, `is missing: one of ${known.join(', ')}`)
  return value
}

export function invalid(name: string, problem: string): WebError {
  return new WebError(400, 'FIELD_INVALID', `"${name}" ${problem}`)
}
