import { MODELS } from '../../../lib/provider/models.ts'

const BY_LETTERS = new Map(MODELS.map((model) => [model.toLowerCase(), model]))

/** A longer name may be misspelt: `authoriztion_code`. */
const LENGTH_FOR_TYPOS = 10

/**
 * The model that a collection, or the value of a field, is called after: in snake case, Pascal case, any case, singular or
 * plural, misspelt by a letter.
 */
export function modelOfName(name: string): string | undefined {
  const letters = name.replaceAll(/[^a-z]/gi, '').toLowerCase()
  const singular = letters.replace(/s$/, '')
  const exact = BY_LETTERS.get(letters) ?? BY_LETTERS.get(singular) ?? BY_LETTERS.get(letters.replace(/ies$/, 'y'))
  if (exact !== undefined || singular.length < LENGTH_FOR_TYPOS) return exact
  return MODELS.find((model) => differsByALetter(model.toLowerCase(), singular))
}

/**
 * The model that a collection is called after, behind whatever prefix: `oidc_access_token`.
 *
 * The longest name that fits: `registration_access_token` is no `access_token` with a prefix.
 */
export function modelOfCollection(name: string): string | undefined {
  const whole = modelOfName(name)
  if (whole !== undefined) return whole
  const parts = name.split(/[_.:-]+/)
  for (let from = 1; from < parts.length; from++) {
    const model = modelOfName(parts.slice(from).join('_'))
    if (model !== undefined) return model
  }
  const pascal = name.match(/^[a-z]+(?=[A-Z])/)?.[0]
  return pascal === undefined ? undefined : modelOfName(name.slice(pascal.length))
}

/** Whether one letter was left out, put in or replaced. */
function differsByALetter(one: string, other: string): boolean {
  const [short, long] = one.length <= other.length ? [one, other] : [other, one]
  if (long.length - short.length > 1) return false
  let at = 0
  while (at < short.length && short[at] === long[at]) at++
  const rest = short.length === long.length ? short.slice(at + 1) : short.slice(at)
  return long.slice(at + 1) === rest
}
