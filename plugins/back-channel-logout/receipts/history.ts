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

/** Receipts in the order of the ends, as far as the log goes when it begins. */
export async function* historyOf(
  parts: HistoryParts,
  criteria: HistoryCriteria,
  { limit = Number.POSITIVE_INFINITY, order = 'oldest', signal }: ReadingOptions,
  size: number = PAGE_SIZE,
): AsyncGenerator<Receipt, void> {
  let left = limit
  for await (const { receipts } of historyIn(parts, criteria, { order, ...(signal && { signal }) }, size)) {
    for (const { receipt } of receipts) {
      yield receipt
      left -= 1
      if (left === 0 || signal?.aborted) return
    }
  }
}

/** A page of the log, and the receipts that are told at an end in it. */
export interface HistoryPage {
  readonly receipts: readonly PlacedReceipt[]
  /** How many commits there were, and the last of them. */
  readonly looked: number
  readonly last: number
}

/** A receipt, and where in the log it is told: at an end in which commit, and which session of that commit it is of. */
export interface PlacedReceipt {
  readonly receipt: Receipt
  readonly position: number
  readonly index: number
}

/**
 * The same, a page of the log at a time. A session may end several times, login by login: it is told at the first end that
 * is asked for, or at the last where the newest come first, which its own stream says; so that nothing has to be remembered
 * from page to page.
 *
 * @param range - `end`: the last position of the log that counts. Default: its end. `to`: where to begin, of the newest
 */
export async function* historyIn(
  { store, issuer, waiting }: HistoryParts,
  { account, client, since: wished }: HistoryCriteria,
  { order = 'oldest', signal }: Omit<ReadingOptions, 'limit'>,
  size: number,
  range: { readonly end?: number; readonly to?: number } = {},
): AsyncGenerator<HistoryPage, void> {
  const since = millisecondsOf(wished)
  const streams = streamsOf(store, issuer, account, client)
  const end = range.end ?? (await store.end())
  const to = range.to ?? end
  const from = since === undefined ? 1 : await positionAt(store, since, end)
  const isMeant = ({ origin, position, at, owed }: Termination): boolean =>
    origin === issuer &&
    position <= end &&
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
  for await (const page of pagesOf(store, streams, { from, to, order, size })) {
    if (signal?.aborted) return
    const ends = page.flatMap((commit) =>
      uidsEndedIn(commit, streams).map((uid, index) => ({ uid, position: commit.position, index })),
    )
    known = await readSessions(new Set(ends.map(({ uid }) => uid)), known)
    const receipts = ends.flatMap(({ uid, position, index }): PlacedReceipt[] => {
      const session = known.get(uid)
      if (session?.toldAt !== position) return []
      const { logout, planned } = session
      const view = { planned, ...(waiting && { waiting }), ...(client !== undefined && { client }) }
      return [{ receipt: receiptOf(logout, view), position, index }]
    })
    yield { receipts, looked: page.length, last: Number(page.at(-1)?.position) }
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
