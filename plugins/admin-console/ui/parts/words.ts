import type { Tone } from './chip.tsx'

const REASONS: Readonly<Record<string, string>> = {
  rp_initiated: 'Logged out at an RP',
  account_switched: 'Another account logged in',
  single_session: 'The user ended this session',
  session_expired: 'Session expired',
  authorization_removed: 'Authorization removed',
  admin: 'Ended by an operator',
  account_disabled: 'Account disabled',
  account_deleted: 'Account deleted',
  password_changed: 'Password changed',
  signed_out_everywhere: 'Signed out everywhere',
  session_destroyed: 'Session destroyed',
}

/** Why a session ended, for people; a reason that is not known here as it is. */
export function reasonText(reason: string): string {
  return lookUp(REASONS, reason, reason)
}

const FAILURES: Readonly<Record<string, string>> = {
  refused: 'The RP refuses it',
  budget_spent: 'All attempts failed',
  expired: 'Too old to be tried again',
  client_deleted: 'The client was deleted',
  no_uri: 'The client has no logout URI',
  account_forgotten: 'The account was forgotten',
}

export const FAILURE_REASONS: readonly string[] = Object.keys(FAILURES)

export function failureText(reason: string): string {
  return lookUp(FAILURES, reason, reason)
}

const STATES: Readonly<Record<string, Tone>> = {
  pending: 'busy',
  confirmed: 'good',
  rejected: 'bad',
  abandoned: 'bad',
  superseded: 'quiet',
  running: 'busy',
  completed: 'good',
  cancelled: 'quiet',
  left: 'busy',
  failed: 'bad',
}

export function toneOf(state: string): Tone {
  return lookUp(STATES, state, 'quiet')
}

/** What a server names may be a member of every object. */
function lookUp<T>(values: Readonly<Record<string, T>>, name: string, unknown: T): T {
  return Object.hasOwn(values, name) ? (values[name] ?? unknown) : unknown
}

const NUMBERS = new Intl.NumberFormat('en')

/** `1,234` */
export function number(count: number): string {
  return NUMBERS.format(count)
}

/** `1 session`, `1,234 sessions` */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`
}

/** A count that ends somewhere: `100+`. */
export function bounded({ count, isExact }: { readonly count: number; readonly isExact: boolean }): string {
  return isExact ? number(count) : `${number(count)}+`
}

/** `98.5 %`; never `100 %` where something failed. */
export function percent(share: number): string {
  const rounded = Math.floor(share * 1_000) / 10
  return `${rounded === Math.floor(rounded) ? rounded.toFixed(0) : rounded.toFixed(1)} %`
}
