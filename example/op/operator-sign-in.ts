import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Context } from 'koa'
import type { Operator } from 'oidc-provider-eventstore/plugins/admin-console'

const COOKIE = 'op.operator'
const LASTS_MS = 8 * 60 * 60_000

interface SignedIn {
  readonly operator: Operator
  readonly until: number
}

/**
 * Who is an operator, in this example: whoever knows the password that the process has made at its start. An application
 * puts its own in this place (its own login, its own roles), and hands `authorize` to `adminConsole()`.
 */
export class OperatorSignIn {
  readonly #password: string
  /** By the hash of the cookie's value: what is in memory opens no door. */
  readonly #signedIn = new Map<string, SignedIn>()

  constructor(password: string) {
    this.#password = password
  }

  /** The operator whose browser this is. */
  readonly authorize = (ctx: Context): Operator | undefined => {
    const cookie = ctx.cookies.get(COOKIE)
    const found = cookie === undefined ? undefined : this.#signedIn.get(hashOf(cookie))
    return found !== undefined && found.until > Date.now() ? found.operator : undefined
  }

  /**
   * @param form - `looks`: only looks, and changes nothing
   * @returns whether that was the password, and this is a name
   */
  signIn(ctx: Context, { name, password, looks }: Readonly<Record<string, unknown>>): boolean {
    if (typeof name !== 'string' || typeof password !== 'string') return false
    const called = name.trim()
    if (!/^[\p{L}\p{N} ._@-]{1,40}$/u.test(called) || !isSame(password, this.#password)) return false
    this.#sweep()
    const cookie = randomBytes(32).toString('base64url')
    this.#signedIn.set(hashOf(cookie), {
      operator: { name: called, role: looks === undefined ? 'operator' : 'viewer' },
      until: Date.now() + LASTS_MS,
    })
    this.#setCookie(ctx, cookie)
    return true
  }

  signOut(ctx: Context): void {
    const cookie = ctx.cookies.get(COOKIE)
    if (cookie !== undefined) this.#signedIn.delete(hashOf(cookie))
    this.#setCookie(ctx, null)
  }

  /** With TLS, which every deployment has, it is `secure` as well. It is a secret by itself: signing it adds nothing. */
  #setCookie(ctx: Context, value: string | null): void {
    const path = '/operators'
    ctx.cookies.set(COOKIE, value, { httpOnly: true, sameSite: 'strict', path, maxAge: LASTS_MS, signed: false })
  }

  #sweep(): void {
    for (const [hash, { until }] of this.#signedIn) if (until <= Date.now()) this.#signedIn.delete(hash)
  }
}

export function makePassword(): string {
  return randomBytes(15).toString('base64url')
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [given, expected].map((text) => createHash('sha256').update(text).digest())
  return a !== undefined && b !== undefined && timingSafeEqual(a, b)
}
