import type { DeadLetter, PendingDelivery, Receipt } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { assertKnown, invalid, oneOf, requiredText, text, wholeNumber } from '../../../lib/web/fields.ts'
import type { LogoutDetail, LogoutsQuery } from './contract.ts'
import { contains, FILTER_FIELDS, filterIn, matches } from './dead-letter-filter.ts'
import { given, PAGE_FIELDS, pageIn, pageOf } from './page-fields.ts'
import type { Route } from './route.ts'

const STATES: readonly NonNullable<LogoutsQuery['state']>[] = [
  'pending',
  'confirmed',
  'rejected',
  'abandoned',
  'superseded',
]

/** Live sessions, and the RPs that have a login of each. */
export const listSessions: Route = {
  role: 'viewer',
  async handle({ logout, fields }) {
    assertKnown(fields, ['account', 'client', ...PAGE_FIELDS])
    const [account, client] = [text(fields, 'account'), text(fields, 'client')]
    if (account !== undefined && client !== undefined) throw invalid('client', 'cannot be given beside "account"')
    const criteria = account !== undefined ? { account } : client !== undefined ? { client } : { all: true as const }
    return { body: await pageOf(logout.pages.sessions(criteria, pageIn(fields))) }
  },
}

/** The sessions that ended, or logins in them: which RP was told, how often it was tried, what it said. */
export const listLogouts: Route = {
  role: 'viewer',
  async handle({ logout, fields }) {
    assertKnown(fields, ['account', 'client', 'state', 'since', ...PAGE_FIELDS])
    const since = wholeNumber(fields, 'since')
    const state = oneOf(fields, 'state', STATES)
    const criteria = { ...given(fields, ['account', 'client']), ...(since !== undefined && { since }) }
    const where = ({ ends }: Receipt): boolean =>
      ends.some(({ relyingParties }) => relyingParties.some((entry) => entry.state === state))
    const options = { ...pageIn(fields), ...(state !== undefined && { where }) }
    return { body: await pageOf(logout.pages.history(criteria, options)) }
  },
}

export const showLogout: Route = {
  role: 'viewer',
  async handle({ logout, fields }) {
    assertKnown(fields, ['session'])
    const session = requiredText(fields, 'session')
    const [receipt, timeline] = await Promise.all([logout.receipt(session), logout.timeline(session)])
    return { body: { receipt, timeline } satisfies LogoutDetail }
  },
}

/** What RPs were not told, and nobody tries to tell them any more. */
export const listDeadLetters: Route = {
  role: 'viewer',
  async handle({ logout, fields }) {
    assertKnown(fields, [...FILTER_FIELDS, ...PAGE_FIELDS])
    const filter = filterIn(fields)
    const where = (letter: DeadLetter): boolean => matches(letter, filter)
    return { body: await pageOf(logout.pages.deadLetters(filter.criteria, { ...pageIn(fields), where })) }
  },
}

/** What RPs are still to be told of. */
export const listPending: Route = {
  role: 'viewer',
  async handle({ logout, fields }) {
    assertKnown(fields, ['client', 'q', ...PAGE_FIELDS])
    const q = text(fields, 'q')
    const where = (pending: PendingDelivery): boolean => contains(pending, q)
    return { body: await pageOf(logout.pages.pending(given(fields, ['client']), { ...pageIn(fields), where })) }
  },
}

/** Commits that could not be planned. */
export const listParked: Route = {
  role: 'viewer',
  async handle({ logout, fields }) {
    assertKnown(fields, PAGE_FIELDS)
    return { body: await pageOf(logout.pages.parked(pageIn(fields))) }
  },
}

/** Ends of many sessions that were ordered, and how far they are. */
export const listTerminations: Route = {
  role: 'viewer',
  async handle({ logout, fields }) {
    assertKnown(fields, PAGE_FIELDS)
    return { body: await pageOf(logout.pages.terminations(pageIn(fields))) }
  },
}
