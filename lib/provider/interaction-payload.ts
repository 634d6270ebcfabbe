import type { Payload } from './models.ts'

/**
 * oidc-provider keeps parameters of the authorization request in an interaction twice: in `params`, and again in the
 * details of the prompt (`login_hint`, `claims`, …). Anybody may send long ones, so they are stored once.
 *
 * @returns the payload without the details that repeat a parameter, and their names
 */
export function withoutRepeatedParams(payload: Payload): { readonly payload: Payload; readonly repeated: string[] } {
  const details = detailsOf(payload)
  const params = objectOf(payload['params'])
  const repeated = Object.keys(details).filter(
    (name) => typeof details[name] === 'string' && Object.hasOwn(params, name) && params[name] === details[name],
  )
  if (repeated.length === 0) return { payload, repeated }
  const left = Object.entries(details).filter(([name]) => !repeated.includes(name))
  return { payload: withDetails(payload, Object.fromEntries(left)), repeated }
}

/** The payload as it was given. */
export function withRepeatedParams(payload: Payload, repeated: readonly string[]): Payload {
  if (repeated.length === 0) return payload
  const params = objectOf(payload['params'])
  const again = repeated.map((name) => [name, params[name]])
  return withDetails(payload, { ...detailsOf(payload), ...Object.fromEntries(again) })
}

function detailsOf({ prompt }: Payload): Payload {
  return objectOf(objectOf(prompt)['details'])
}

function withDetails(payload: Payload, details: Payload): Payload {
  return { ...payload, prompt: { ...objectOf(payload['prompt']), details } }
}

function objectOf(value: unknown): Payload {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Payload) : {}
}
