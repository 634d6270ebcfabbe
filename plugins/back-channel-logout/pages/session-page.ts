import { OptionInvalidError, type SessionName } from '../../../lib/index.ts'
import { type CandidatePlace, candidates, type Wanted } from '../ending/candidates.ts'
import { earlierTime } from '../ending/endings.ts'
import {
  isExpiredBy,
  type LiveSession,
  type LiveSessionParts,
  lastUsedFirst,
  liveSessionsIn,
} from '../ending/live-sessions.ts'
import { assertKnown, assertText } from '../recording/criteria.ts'
import { accountStreams, clientStreams } from '../recording/index-streams.ts'
import { uidOfStream } from '../recording/session-logout-events.ts'
import { cursorAt, hasShape, limitOf, type Page, type PageOptions, placeAt } from './page.ts'

/** Whose live sessions: exactly one of these. */
export type SessionCriteria =
  /** Those of an account. */
  | { readonly account: string }
  /**
   * Those with a login at a client. Found are logins that were recorded, which is done while back-channel logout is on; those
   * that got their login last come first.
   */
  | { readonly client: string }
  /** All of the issuer, those that began last first. */
  | { readonly all: true }

/** So many sessions are looked at for a page, found by so many reads. */
const MOST_LOOKED = 500
const MOST_READS = 16

/** Where a list of sessions goes on, and below which position of the log it began. */
type Place = { readonly before: number } & ({ readonly at?: CandidatePlace } | { readonly registeredBefore: number })

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertSessions(criteria: SessionCriteria): void {
  assertKnown(criteria, ['account', 'client', 'all'])
  const [[name, value] = ['account'], ...more] = Object.entries(criteria).filter(([, given]) => given !== undefined)
  if (more.length > 0) throw new OptionInvalidError(name, 'must be the only one of account, client and all')
  if (name !== 'all') assertText(name, value)
  else if (value !== true) throw new OptionInvalidError('all', 'must be true')
}

/**
 * A page of live sessions. A session that is used while the pages are asked for may be told twice. One that cannot be read,
 * for want of a key, is left out.
 */
export async function sessionPage(
  parts: LiveSessionParts,
  criteria: SessionCriteria,
  options: PageOptions<LiveSession>,
): Promise<Page<LiveSession>> {
  const { store } = parts.host
  const list = listOf(criteria)
  const isPlace = 'client' in criteria ? isClientPlace : isCandidatePlace
  const place = placeAt<Place>(list, options.cursor, isPlace) ?? { before: (await store.end()) + 1 }
  const source =
    'client' in criteria ? new RegisteredAt(parts, criteria.client, place) : new Candidates(parts, criteria, place)
  const isExpired = isExpiredBy(await earlierTime(parts.host), parts.toleranceSeconds)
  const { where = () => true } = options
  const items = new Map<string, LiveSession>()
  const limit = limitOf(options)
  let looked = 0
  for (let reads = 0; reads === 0 || (source.next && reads < MOST_READS); reads++) {
    const most = Math.min(limit - items.size, MOST_LOOKED - looked)
    if (most <= 0) break
    const { names, count } = await source.some(most)
    looked += count
    for await (const session of liveSessionsIn(parts, names, isExpired))
      if (source.isMeant(session) && where(session)) items.set(session.uid, session)
  }
  return { items: [...items.values()], looked, ...(source.next && { next: cursorAt(list, source.next as never) }) }
}

/** Sessions that may live. */
interface Found {
  readonly names: readonly SessionName[]
  /** How many candidates they were found in. */
  readonly count: number
}

/** Sessions of an account, or all: what lives has an index. */
class Candidates {
  readonly #parts: LiveSessionParts
  readonly #account: string | undefined
  readonly #wanted: Wanted
  #at: CandidatePlace | undefined
  next: Place | undefined

  constructor(parts: LiveSessionParts, criteria: Exclude<SessionCriteria, { client: string }>, place: Place) {
    this.#parts = parts
    this.#account = 'account' in criteria ? criteria.account : undefined
    const { keys } = parts.host.store
    const whose = this.#account === undefined ? {} : { accounts: accountStreams(keys, this.#account) }
    this.#wanted = { kind: 'session', before: place.before, ...whose }
    this.#at = 'at' in place ? place.at : undefined
  }

  async some(most: number): Promise<Found> {
    const page = await candidates(this.#parts.host.store, this.#wanted, this.#at, most)
    this.#at = page.next
    this.next = page.next && { before: this.#wanted.before, at: page.next }
    return { names: lastUsedFirst(this.#parts.host.terminator, page), count: page.commits.length + page.entries.length }
  }

  isMeant({ accountId }: LiveSession): boolean {
    return this.#account === undefined || accountId === this.#account
  }
}

/** Sessions with a login at a client: by the registrations of its logins, the newest first. */
class RegisteredAt {
  readonly #parts: LiveSessionParts
  readonly #client: string
  readonly #before: number
  #registeredBefore: number
  next: Place | undefined

  constructor(parts: LiveSessionParts, client: string, place: Place) {
    this.#parts = parts
    this.#client = client
    this.#before = place.before
    this.#registeredBefore = 'registeredBefore' in place ? place.registeredBefore : place.before
  }

  async some(most: number): Promise<Found> {
    const { store } = this.#parts.host
    const streams = clientStreams(store.keys, this.#client)
    const from = this.#registeredBefore - 1
    const commits = from < 1 ? [] : await store.readStreams(streams, { from, direction: 'backwards', limit: most })
    const uids = commits.flatMap(({ events }) =>
      events.flatMap(({ stream, type, also = [] }) => {
        const isLogin = type === 'session_logout.back_channel.registered' && also.some((name) => streams.includes(name))
        return (isLogin && uidOfStream(stream)) || []
      }),
    )
    this.#registeredBefore = commits.at(-1)?.position ?? 1
    this.next = commits.length < most ? undefined : { before: this.#before, registeredBefore: this.#registeredBefore }
    return { names: [...new Set(uids)], count: commits.length }
  }

  isMeant({ logins }: LiveSession): boolean {
    return logins.some(({ clientId }) => clientId === this.#client)
  }
}

/** A cursor is good for the list that it was made for. */
function listOf(criteria: SessionCriteria): string {
  if ('account' in criteria) return `sessions of account ${criteria.account}`
  return 'client' in criteria ? `sessions at ${criteria.client}` : 'sessions'
}

function isClientPlace(place: unknown): place is Place {
  return hasShape(place, { before: 'whole', registeredBefore: 'whole' })
}

function isCandidatePlace(place: unknown): place is Place {
  if (!hasShape(place, { before: 'whole' })) return false
  const { at } = place as { readonly at?: unknown }
  const part = (at as { readonly part?: unknown } | undefined)?.part
  if (part === 'tail') return hasShape(at, { from: 'whole', before: 'whole' })
  if (part === 'history') return hasShape(at, { before: 'whole' })
  if (part !== 'index' || !hasShape(at, { name: 'whole' })) return false
  const { after } = at as { readonly after?: unknown }
  return after === undefined || hasShape(after, { first: 'whole', id: 'string' })
}
