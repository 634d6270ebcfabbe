/** The server's refusal: its message is for people. */
export class Refusal extends Error {
  constructor({ code, message }) {
    super(message)
    this.code = code
  }
}

export function get(path, parameters = {}) {
  const query = new URLSearchParams(
    Object.entries(parameters).filter(([, value]) => value !== undefined && value !== ''),
  )
  return ask('GET', query.size > 0 ? `${path}?${query}` : path)
}

export const post = (path, body) => ask('POST', path, body)
export const put = (path, body) => ask('PUT', path, body)
export const remove = (path, body) => ask('DELETE', path, body)

async function ask(method, path, body) {
  const response = await fetch(`/operators/api${path}`, {
    method,
    cache: 'no-store',
    ...(body && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  })
  if (response.status === 401) location.assign('/operators/sign-in')
  const answer = await response.json()
  if (!response.ok) throw new Refusal(answer.error)
  return answer
}

/** Calls `changed` at first, and whenever the log has grown: once for all that came meanwhile. */
export function follow(changed) {
  const { dataset } = document.documentElement
  const source = new EventSource('/operators/api/changes')
  // What changed before the stream was open, or while it was interrupted, was not announced.
  source.addEventListener('open', () => {
    dataset.connection = 'live'
    changed()
  })
  source.addEventListener('changed', () => changed())
  source.addEventListener('error', () => {
    dataset.connection = 'lost'
    if (source.readyState !== EventSource.CLOSED) return // the browser tries again by itself
    setTimeout(() => follow(changed), 2_000)
    changed() // which leads to the sign-in, if that is what it was
  })
}
