import type { Commit, EventStore } from '../../../lib/index.ts'
import {
  assertKnown,
  assertReading,
  assertText,
  millisecondsOf,
  type ReadingOptions,
  type Time,
} from '../recording/criteria.ts'
import { readLogouts } from '../recording/histories.ts'
import { accountStreams, clientStreams, endsStream } from '../recording/index-streams.ts'
import { PAGE_SIZE, pagesOf } from '../recording/pages.ts'
import { positionAt } from '../recording/position-at.ts'
import type { SessionLogout, Termination } from '../recording/session-logout.ts'
import { uidOfStream } from '../recording/session-logout-events.ts'
import { plannedUpTo } from './planned.ts'
import { type Receipt, receiptOf, type Waiting } from './receipt.ts'

/** Whose logouts, and from when on. They combine; none of them: all logouts of the issuer. */
export interface HistoryCriteria {
  /** The account id. */
  readonly account?: string
  /** A client id. Of each receipt only what concerns this client is told. */
  readonly client?: string
  /** Only sessions that ended, wholly or in part, at this time or later. */
  readonly since?: Time
}

/** What the history is read with. */
export interface HistoryParts {
  readonly store: EventStore
  readonly issuer: string
  readonly waiting?: Waiting
}

/** A session of a page, as it was read; the next page does not read it again. */
interface Session {
  readonly logout: SessionLogout
  /** Up to where the log was planned by then. */
  readonly planned: number
  /** The position of the end at which it is told. */
  readonly toldAt: number | undefined
}

type Sessions = ReadonlyMap<string, Session>

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertHistory(criteria: HistoryCriteria, options: ReadingOptions): void {
  assertKnown(criteria, ['account', 'client', 'since'])
  assertKnown(options, ['limit', 'order', 'signal'])
  if (criteria.account !== undefined) assertText('account', criteria.account)
  if (criteria.client !== undefined) assertText('client', criteria.client)
  millisecondsOf(criteria.since)
  assertReading(options)
}

/**
 * Receipts in the order of the ends, as far as the log goes when it begins. A session may end several times, login by
 * login: it is told at the first end that is asked for, or at the last where the newest come first, which its own stream
 * says; so that nothing has to be remembered from page to page.
 */
export async function* historyOf(
  { store, issuer, waiting }: HistoryParts,
  { account, client, since: wished }: HistoryCriteria,
  { limit = Number.POSITIVE_INFINITY, order = 'oldest', signal }: ReadingOptions,
  size: number = PAGE_SIZE,
): AsyncGenerator<Receipt, void> {
  const since = millisecondsOf(wished)
  const streams = streamsOf(store, issuer, account, client)
  const to = await store.end()
  const from = since === undefined ? 1 : await positionAt(store, since, to)
  const isMeant = ({ origin, position, at, owed }: Termination): boolean =>
    origin === issuer &&
    position <= to &&
    at >= (since ?? 0) &&
    (client === undefined || owed.some(({ registration }) => registration.clientId === client))
  const readSessions = async (uids: ReadonlySet<string>, before: Sessions): Promise<Sessions> => {
    const planned = await plannedUpTo(store)
    const logouts = await readLogouts(
      store,
      [...uids].filter((uid) => !before.has(uid)),
    )
    const fresh = [...logouts].map(([uid, logout]): [string, Session] => {
      const meant = logout.terminations.filter(isMeant)
      return [uid, { logout, planned, toldAt: (order === 'oldest' ? meant[0] : meant.at(-1))?.position }]
    })
    return new Map([...[...before].filter(([uid]) => uids.has(uid)), ...fresh])
  }
  let known: Sessions = new Map()
  let left = limit
  for await (const page of pagesOf(store, streams, { from, to, order, size })) {
    if (signal?.aborted) return
    const ends = page.flatMap((commit) => uidsEndedIn(commit, streams).map((uid) => ({ uid, at: commit.position })))
    known = await readSessions(new Set(ends.map(({ uid }) => uid)), known)
    for (const { uid, at } of ends) {
      const session = known.get(uid)
      if (session?.toldAt !== at) continue
      const { logout, planned } = session
      yield receiptOf(logout, { planned, ...(waiting && { waiting }), ...(client !== undefined && { client }) })
      left -= 1
      if (left === 0 || signal?.aborted) return
    }
  }
}

function streamsOf(
  { keys }: EventStore,
  issuer: string,
  account: string | undefined,
  client: string | undefined,
): readonly string[] {
  if (account !== undefined) return accountStreams(keys, account)
  return client === undefined ? [endsStream(issuer)] : clientStreams(keys, client)
}

/** The sessions of which this commit records an end that is found by one of the streams. */
function uidsEndedIn({ events }: Commit, streams: readonly string[]): string[] {
  const ends = events.filter(
    ({ type, also = [] }) => type === 'session_logout.terminated' && streams.some((stream) => also.includes(stream)),
  )
  return [...new Set(ends.map(({ stream }) => uidOfStream(stream)).filter((uid) => uid !== undefined))]
}
