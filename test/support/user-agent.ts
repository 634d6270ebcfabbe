import { leaks } from './leak-check.ts'

/** What of a redirect is for the one who gets it alone. */
const SECRETS = ['code', 'access_token', 'id_token', 'id_token_hint', 'response']

/** A response with its body read. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly url: string
}

/** What a browser does, without the looks: keeps cookies by host, follows redirects when asked to. */
export class UserAgent {
  readonly #cookies = new Map<string, { name: string; value: string; path: string; host: string }>()
  readonly #patienceMs: number | undefined

  /** @param patienceMs - how long it waits for an answer, in milliseconds. Default: as long as it takes */
  constructor(patienceMs?: number) {
    this.#patienceMs = patienceMs
  }

  async get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('GET', url, undefined, headers)
  }

  async post(url: string, form: Record<string, string>, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('POST', url, new URLSearchParams(form), headers)
  }

  /** One request, no redirect followed. */
  async send(
    method: string,
    url: string,
    body?: URLSearchParams,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      headers: { accept: 'text/html', ...this.#cookieHeader(url), ...headers },
      ...(body && { body }),
      ...(this.#patienceMs !== undefined && { signal: AbortSignal.timeout(this.#patienceMs) }),
    })
    this.#keep(url, response.headers.getSetCookie())
    noteSecrets(response.headers.get('location'), url)
    return { status: response.status, headers: response.headers, text: await response.text(), url }
  }

  /** Follows redirects as a browser would, as long as `stay` says so. Returns the last answer. */
  async follow(answer: Answer, stay: (url: string) => boolean = () => true): Promise<Answer> {
    let last = answer
    for (let hops = 0; hops < 20; hops++) {
      const location = last.headers.get('location')
      if (!location || last.status < 300 || last.status > 399) return last
      const url = new URL(location, last.url).href
      if (!stay(url)) return last
      if (last.status === 307 || last.status === 308)
        throw new Error(`a ${last.status} must be repeated by the test: ${url}`)
      last = await this.get(url)
    }
    throw new Error(`too many redirects: ${last.url}`)
  }

  /** All cookie values it holds: what a dump must not show. */
  cookieValues(): string[] {
    return [...this.#cookies.values()].map(({ value }) => value)
  }

  cookie(name: string): string | undefined {
    return [...this.#cookies.values()].find((cookie) => cookie.name === name)?.value
  }

  /** Another tab of the same browser: the cookies as they are now. */
  clone(): UserAgent {
    const clone = new UserAgent(this.#patienceMs)
    for (const [key, cookie] of this.#cookies) clone.#cookies.set(key, cookie)
    return clone
  }

  #cookieHeader(url: string): Record<string, string> {
    const { host, pathname } = new URL(url)
    const cookies = [...this.#cookies.values()].filter(
      (cookie) => cookie.host === host && pathname.startsWith(cookie.path),
    )
    return cookies.length > 0 ? { cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; ') } : {}
  }

  #keep(url: string, setCookies: readonly string[]): void {
    const { host } = new URL(url)
    for (const line of setCookies) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
      const name = pair.slice(0, pair.indexOf('='))
      const value = pair.slice(pair.indexOf('=') + 1)
      const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice(5) ?? '/'
      const expires = attributes.find((attribute) => /^expires=/i.test(attribute))?.slice(8)
      const key = `${host} ${path} ${name}`
      leaks.secret(value, `the cookie ${name}`)
      if (value === '' || (expires && Date.parse(expires) < Date.now())) this.#cookies.delete(key)
      else this.#cookies.set(key, { name, value, path, host })
    }
  }
}

function noteSecrets(location: string | null, url: string): void {
  if (location === null || !URL.canParse(location, url)) return
  const { searchParams, hash } = new URL(location, url)
  for (const parameters of [searchParams, new URLSearchParams(hash.slice(1))])
    for (const name of SECRETS) leaks.secret(parameters.get(name), `the ${name} of a redirect`)
}

/** The value of a hidden field, or the target of a form. */
export function field(html: string, pattern: RegExp): string {
  const found = pattern.exec(html)?.[1]
  if (found === undefined) throw new Error(`not in the page: ${pattern}\n${html.slice(0, 2000)}`)
  return found.replaceAll('&amp;', '&')
}
