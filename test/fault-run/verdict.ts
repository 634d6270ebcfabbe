import type { Receipt, ReceiptEntry } from '../../plugins/back-channel-logout/index.ts'
import type { Logged, LoggedEnd, LoggedOwed, Settlement } from './logged.ts'
import type { Login, Visit, Way } from './people.ts'
import { isLive, type Received } from './told-rps.ts'

/** All that is known at the end of a run, from four sides. */
export interface Evidence {
  /** What people did, as they know it. */
  readonly visits: readonly Visit[]
  /** What the log says. */
  readonly logged: Logged
  /** What the RPs got. */
  readonly received: readonly Received[]
  /** What the plugin says, of each session of which something has ended. */
  readonly receipts: readonly Receipt[]
}

/** What is wrong, a line each. */
export function violationsOf(evidence: Evidence): string[] {
  const told = new Told(evidence.received)
  return [
    ...evidence.logged.oddities,
    ...evidence.visits.flatMap((visit) => visitProblems(visit, evidence.logged, told)),
    ...evidence.logged.ends.flatMap((end) => end.owed.flatMap((owed) => owedProblems(end, owed, told))),
    ...strayTokens(evidence),
    ...evidence.receipts.flatMap((receipt) => receiptProblems(receipt, evidence.logged)),
    ...missingReceipts(evidence),
  ]
}

/** Tokens that RPs took, and all that they got, by login. */
class Told {
  readonly #byLogin = new Map<string, Received[]>()
  readonly #takenBySubject = new Set<string>()

  constructor(received: readonly Received[]) {
    for (const token of received) {
      const { clientId, sid, sub, taken } = token
      const login = JSON.stringify([clientId, sid, sub])
      this.#byLogin.set(login, [...(this.#byLogin.get(login) ?? []), token])
      if (taken) this.#takenBySubject.add(JSON.stringify([clientId, sub]))
    }
  }

  of({ clientId, sid, account }: { readonly clientId: string; readonly sid: string; readonly account: string }) {
    return this.#byLogin.get(JSON.stringify([clientId, sid, account])) ?? []
  }

  hasTaken(clientId: string, account: string): boolean {
    return this.#takenBySubject.has(JSON.stringify([clientId, account]))
  }
}

const REASONS: Readonly<Record<Exclude<Way, 'never'>, string>> = {
  'RP-initiated': 'rp_initiated',
  'RP-initiated, one RP alone': 'rp_initiated',
  'account switch': 'account_switched',
  'operator, one session': 'admin',
  'operator, the account': 'admin',
}

/**
 * Logins in sessions that their browser has lost: oidc-provider gives a session another id at the end of each
 * interaction; when that answer is lost on its way, the browser keeps an id that nothing is stored under any more, the
 * person logs in again, and the first session lives on until it expires. A logout ends the second one.
 */
export function strandedLogins({ visits, logged }: Pick<Evidence, 'visits' | 'logged'>): number {
  return visits
    .filter(({ acknowledged }) => acknowledged)
    .reduce((sum, { account, logins, way }) => {
      const ended = way === 'RP-initiated, one RP alone' ? logins.slice(0, 1) : logins
      return sum + ended.filter((login) => isStranded(login, account, logged)).length
    }, 0)
}

function isStranded({ clientId, sid }: Login, account: string, logged: Logged): boolean {
  if (logged.sessionsOf(account) < 2) return false
  return logged.living.some(
    (login) => login.account === account && login.clientId === clientId && (sid === undefined || login.sid === sid),
  )
}

/** What was acknowledged is in the log, and the RPs know: those that the person was logged in at. */
function visitProblems(visit: Visit, logged: Logged, told: Told): string[] {
  const { account, way, acknowledged } = visit
  const { ends } = logged
  const own = ends.filter((end) => end.owed.some((owed) => owed.account === account))
  if (way === 'never') return own.length === 0 ? [] : [`${account} did not log out, and a session of theirs has ended`]
  if (!acknowledged) return []
  const alone = way === 'RP-initiated, one RP alone'
  const logins = visit.logins.filter((login) => !isStranded(login, account, logged))
  if (alone && logins[0] !== visit.logins[0]) return []
  if (!own.some(({ reason, scope }) => reason === REASONS[way] && scope === (alone ? 'logins' : 'session')))
    return [`the logout of ${account} (${way}) was acknowledged, and is not in the log`]
  const ended = alone ? logins.slice(0, 1) : logins
  const living = alone ? logins.slice(1) : []
  return [
    ...ended
      .filter(({ clientId }) => isLive(clientId) && !told.hasTaken(clientId, account))
      .map(({ clientId }) => `${clientId} was not told of the logout of ${account} (${way})`),
    ...ended
      .filter((login) => isLive(login.clientId) && login.sid !== undefined)
      .filter(({ clientId, sid = '' }) => !told.of({ clientId, sid, account }).some(({ taken }) => taken))
      .map(({ clientId, sid }) => `${clientId} was not told of sid ${sid}, which its ID token for ${account} names`),
    ...living
      .filter(({ clientId }) => told.hasTaken(clientId, account))
      .map(({ clientId }) => `${clientId} was told of a logout that ${account} wanted at another RP alone`),
  ]
}

/** Each login that has ended is settled once: told, if its RP lives, and a dead letter if it does not. */
function owedProblems({ uid, position, at }: LoggedEnd, owed: LoggedOwed, told: Told): string[] {
  const { clientId, account, settlements } = owed
  const which = `the delivery to ${clientId} of ${account} (session ${uid}, end at ${position})`
  const tokens = told.of(owed)
  const taken = tokens.filter((token) => token.taken)
  const wanted = isLive(clientId) ? 'sent' : 'abandoned'
  const kinds = settlements.map(({ kind }) => kind)
  return [
    ...(kinds.length === 1 && kinds[0] === wanted
      ? []
      : [`${which}: settled as ${kinds.join(', ') || 'nothing'}, should be ${wanted} once`]),
    ...(isLive(clientId) === taken.length > 0 ? [] : [`${which}: the RP took ${taken.length} tokens`]),
    ...(tokens.some(({ issuedAt }) => issuedAt < Math.floor(at / 1000))
      ? [`${which}: a token was made before the session ended`]
      : []),
  ]
}

/** Nobody is told of what has not ended, nor of what it never had. */
function strayTokens({ received, logged }: Evidence): string[] {
  const owed = new Set(
    logged.ends.flatMap((end) =>
      end.owed.map(({ clientId, sid, account }) => JSON.stringify([clientId, sid, account])),
    ),
  )
  const stray = received
    .filter(({ clientId, sid, sub }) => !owed.has(JSON.stringify([clientId, sid, sub])))
    .map(({ clientId, sid, sub }) => `${clientId} got a token for ${sub}, sid ${sid}, that nobody owes it`)
  const ids = new Set(received.map(({ jti }) => jti))
  return ids.size === received.length ? stray : [...stray, `${received.length - ids.size} tokens had a jti again`]
}

/** The receipt says what the log says, entry by entry. */
function receiptProblems({ sessionUid, ends, settled }: Receipt, logged: Logged): string[] {
  const own = logged.ends.filter(({ uid }) => uid === sessionUid)
  const theirs = ends.map(({ reason, at, scope, actor, relyingParties }) =>
    JSON.stringify([reason, at, scope, actor ?? null, relyingParties.map(entryOf).toSorted()]),
  )
  const ours = own.map(({ reason, at, scope, actor, owed }) =>
    JSON.stringify([reason, at, scope, actor ?? null, owed.map(expectedOf).toSorted()]),
  )
  return [
    ...(settled ? [] : [`the receipt of ${sessionUid} is not settled`]),
    ...(JSON.stringify(theirs) === JSON.stringify(ours)
      ? []
      : [`the receipt of ${sessionUid} says ${theirs}, the log says ${ours}`]),
  ]
}

function missingReceipts({ receipts, logged }: Evidence): string[] {
  const there = new Set(receipts.map(({ sessionUid }) => sessionUid))
  return logged.ends.filter(({ uid }) => !there.has(uid)).map(({ uid }) => `there is no receipt of ${uid}`)
}

function entryOf({ clientId, sid, delivery, state, attempts, at, status }: ReceiptEntry): string {
  return JSON.stringify([clientId, sid, delivery, state, attempts, at ?? null, status ?? null])
}

const STATES: Readonly<Record<Settlement['kind'], string>> = {
  sent: 'confirmed',
  rejected: 'rejected',
  abandoned: 'abandoned',
  superseded: 'superseded',
}

function expectedOf({ clientId, sid, settlements: [settlement] }: LoggedOwed): string {
  if (!settlement) return JSON.stringify([clientId, sid, 'pending'])
  const { delivery, kind, attempts, at, status } = settlement
  return JSON.stringify([clientId, sid, delivery, STATES[kind], attempts, at, status ?? null])
}
