import type {
  BackChannelLogout,
  TerminateManyOptions,
  TerminationReason,
  TerminationReport,
} from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { Handler } from './api-request.ts'
import { assertKnown, type Fields, flag, invalid, oneOf, requiredText } from './fields.ts'
import { firstOf, limitIn } from './some-of.ts'

const REASONS: readonly TerminationReason[] = [
  'admin',
  'account_disabled',
  'account_deleted',
  'password_changed',
  'signed_out_everywhere',
]

const KINDS = ['session', 'account', 'client', 'all'] as const

/** The terminations of many sessions, the newest first, and how far they are. */
export const listTerminations: Handler = async ({ logout, fields }) => {
  assertKnown(fields, ['limit'])
  const { items, more } = await firstOf(logout.terminations(), limitIn(fields))
  return { body: { terminations: items, more } }
}

/** Ends one session, those of an account, the logins at a client, or all; with `dryRun` only says what would end. */
export const terminate: Handler = async ({ logout, fields, actor, patienceMs = 5_000 }) => {
  assertKnown(fields, [...KINDS, 'reason', 'dryRun'])
  const end = endIn(fields, logout)
  if (flag(fields, 'dryRun')) return { body: { state: 'dry_run', ...(await end({ actor, dryRun: true })) } }
  const signal = AbortSignal.timeout(patienceMs)
  try {
    return { body: { state: 'completed', ...(await end({ actor, signal })) } }
  } catch (error) {
    if (signal.aborted && error === signal.reason) return { status: 202, body: { state: 'running' } }
    throw error
  }
}

function endIn(
  fields: Fields,
  logout: BackChannelLogout,
): (options: TerminateManyOptions) => Promise<TerminationReport> {
  const [kind, ...others] = KINDS.filter((name) => fields[name] !== undefined)
  if (kind === undefined || others.length > 0) throw invalid(KINDS.join('" / "'), 'must be given, one of them')
  const reason = oneOf(fields, 'reason', REASONS)
  if (reason !== undefined && (kind === 'session' || kind === 'client'))
    throw invalid('reason', `is always admin for a ${kind}: leave it out`)
  const why = reason === undefined ? {} : { reason }
  switch (kind) {
    case 'session': {
      const uid = requiredText(fields, kind)
      return ({ signal: _, ...options }) => logout.terminateSession(uid, options)
    }
    case 'account': {
      const accountId = requiredText(fields, kind)
      return (options) => logout.terminateAccount(accountId, { ...options, ...why })
    }
    case 'client': {
      const clientId = requiredText(fields, kind)
      return (options) => logout.terminateClient(clientId, options)
    }
    case 'all':
      if (flag(fields, kind) !== true) throw invalid(kind, 'must be true')
      return (options) => logout.terminateAll({ ...options, ...why })
  }
}
