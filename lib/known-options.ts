import { OptionInvalidError } from './errors.ts'

/**
 * Refuses an option that nobody reads: a misspelt one must not be taken for its default.
 *
 * @param options - what the caller gave
 * @param known - the names that are read
 * @param where - the option that holds them, where they are options of an option
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function assertKnownOptions(
  options: unknown,
  known: Iterable<string>,
  where?: string,
): asserts options is object {
  const names = [...known]
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new OptionInvalidError(where ?? 'options', `must be an object: { ${names.join(', ')} }`)
  for (const option of Object.keys(options)) {
    if (names.includes(option)) continue
    const name = where === undefined ? option : `${where}.${option}`
    throw new OptionInvalidError(name, `is not known; known are ${names.join(', ')}`)
  }
}
