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
import { deadLettersOfClientStream, deadLettersStream } from '../recording/index-streams.ts'
import { PAGE_SIZE, pagesOf } from '../recording/pages.ts'
import { positionAt } from '../recording/position-at.ts'
import type { SessionLogout } from '../recording/session-logout.ts'
import { type Replayed, uidOfStream } from '../recording/session-logout-events.ts'
import { type DeadLetter, deadLetterOf, type FoundLetter } from './dead-letter.ts'

/** Which dead letters. None of these: all of the issuer. */
export interface DeadLetterCriteria {
  /** Those that this client was to get. */
  readonly client?: string
  /** Those that became one at this time or later. */
  readonly since?: Time
}

/** What dead letters are read with. */
export interface DeadLetterParts {
  readonly store: EventStore
  readonly issuer: string
}

/** It is a dead letter no more. */
const REPLAYED: Replayed['type'] = 'session_logout.back_channel.replayed'

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertDeadLetters(options: DeadLetterCriteria & ReadingOptions): void {
  assertKnown(options, ['client', 'since', 'limit', 'order', 'signal'])
  if (options.client !== undefined) assertText('client', options.client)
  millisecondsOf(options.since)
  assertReading(options)
}

/** In the order in which they became dead letters, as far as the log goes when it begins. */
export async function* deadLettersOf(
  parts: DeadLetterParts,
  { limit = Number.POSITIVE_INFINITY, ...which }: DeadLetterCriteria & ReadingOptions,
  size: number = PAGE_SIZE,
): AsyncGenerator<DeadLetter, void> {
  let left = limit
  for await (const page of deadLetterPages(parts, which, size)) {
    for (const { letter } of page) {
      if (which.signal?.aborted) return
      yield letter
      left -= 1
      if (left === 0) return
    }
  }
}

/**
 * The same, a page of the log at a time. Who died, was replayed and died again is told where it died last, which its
 * session's stream says; so that nothing has to be remembered from page to page.
 */
export async function* deadLetterPages(
  parts: DeadLetterParts,
  which: DeadLetterCriteria & Omit<ReadingOptions, 'limit'>,
  size: number = PAGE_SIZE,
): AsyncGenerator<readonly FoundLetter[], void> {
  for await (const { letters } of deadLettersIn(parts, which, size)) if (letters.length > 0) yield letters
}

/** A page of the log, and the dead letters that became one in it. */
export interface DeathPage {
  readonly letters: readonly PlacedLetter[]
  /** How many commits there were, and the last of them. */
  readonly looked: number
  readonly last: number
}

/** A dead letter, and where in the log it became one: in which commit, and which of its deaths that was. */
export interface PlacedLetter extends FoundLetter {
  readonly position: number
  readonly index: number
}

/** @param end - the last position of the log that counts. Default: its end */
export async function* deadLettersIn(
  { store, issuer }: DeadLetterParts,
  { client, since: wished, order = 'oldest', signal }: DeadLetterCriteria & Omit<ReadingOptions, 'limit'>,
  size: number,
  end?: number,
): AsyncGenerator<DeathPage, void> {
  const since = millisecondsOf(wished)
  const stream = client === undefined ? deadLettersStream(issuer) : deadLettersOfClientStream(issuer, client)
  const to = end ?? (await store.end())
  const from = since === undefined ? 1 : await positionAt(store, since, to)
  let logouts: ReadonlyMap<string, SessionLogout> = new Map()
  for await (const page of pagesOf(store, [stream], { from, to, order, size })) {
    if (signal?.aborted) return
    const deaths = page.flatMap((commit) => deathsIn(commit, stream))
    const uids = new Set(deaths.map(({ uid }) => uid))
    // A session that is in many pages is read once.
    const before = [...logouts].filter(([uid]) => uids.has(uid))
    const fresh = [...uids].filter((uid) => !logouts.has(uid))
    logouts = new Map([...before, ...(await readLogouts(store, fresh))])
    const letters = lettersOf(deaths, logouts, issuer).filter(({ letter }) => letter.at >= (since ?? 0))
    yield { letters, looked: page.length, last: Number(page.at(-1)?.position) }
  }
}

/**
 * How many dead letters there are by the newest so many facts: of each delivery the last one decides, that it became one
 * or that it was replayed. Reads these facts alone, whatever the sessions are that they are of.
 */
export async function countDeadLetters(
  { store, issuer }: DeadLetterParts,
  most: number,
): Promise<{ readonly count: number; readonly isExact: boolean }> {
  const stream = deadLettersStream(issuer)
  const page = await store.read(stream, { direction: 'backwards', limit: most })
  const last = new Map<unknown, string>()
  for (const { also, type, data } of page.flatMap(({ events }) => events)) {
    if (also?.includes(stream) && !last.has(data['delivery'])) last.set(data['delivery'], type)
  }
  return { count: [...last.values()].filter((type) => type !== REPLAYED).length, isExact: page.length < most }
}

/** The dead letters of which this was the last death. */
function lettersOf(
  deaths: readonly Death[],
  logouts: ReadonlyMap<string, SessionLogout>,
  issuer: string,
): PlacedLetter[] {
  return deaths.flatMap(({ uid, delivery, round, position, index }) => {
    const logout = logouts.get(uid)
    const found = logout && deadLetterOf(logout, delivery, issuer)
    return found && found.letter.replays === round ? [{ ...found, position, index }] : []
  })
}

/** A delivery that became a dead letter, in which round. */
interface Death {
  readonly uid: string
  readonly delivery: string
  readonly round: number
  readonly position: number
  readonly index: number
}

function deathsIn({ events, position }: Commit, stream: string): Death[] {
  return events.flatMap(({ stream: own, also, type, data: { delivery, round = 0 } }, index) => {
    const uid = uidOfStream(own)
    if (uid === undefined || !also?.includes(stream) || type === REPLAYED) return []
    return [{ uid, delivery: String(delivery), round: Number(round), position, index }]
  })
}
