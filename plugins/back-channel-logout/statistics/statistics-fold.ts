import type { Commit } from '../../../lib/index.ts'
import type { Waiting } from '../receipts/receipt.ts'
import { positionOfEnd } from '../recording/delivery-id.ts'
import { isSessionLogout, type SessionLogoutEvent } from '../recording/session-logout-events.ts'
import { BusiestClients } from './busiest-clients.ts'
import { type Counter, Figures } from './figures.ts'
import type { ClientStatistics, LogoutStatistics } from './statistics.ts'

/** So long ago what is counted began, in milliseconds; in steps of a quarter of an hour. */
export const WINDOW_MS = 86_400_000
const QUARTER_MS = 900_000

/** The figures of so many clients are kept, and so many more clients are known by name. */
const MOST_CLIENTS = 500
const MOST_OTHERS = 10_000

/** The times of so many ends are remembered. */
const MOST_ENDS = 20_000

interface Quarter {
  readonly total: Figures
  readonly clients: Map<string, Figures>
}

/** What is counted by what the log says of a delivery. */
const COUNTERS: Readonly<Partial<Record<string, Counter>>> = {
  'session_logout.back_channel.sent': 'confirmed',
  'session_logout.back_channel.attempt_failed': 'attemptsFailed',
  'session_logout.back_channel.rejected': 'rejected',
  'session_logout.back_channel.abandoned': 'abandoned',
  'session_logout.back_channel.superseded': 'superseded',
}

/**
 * Figures of one issuer by quarters of an hour, commit by commit. Memory is bounded by the window, the clients whose figures
 * are kept and the ends that are remembered. Sums are kept beside the quarters: what is told is asked for again and again.
 */
export class StatisticsFold {
  readonly #issuer: string
  readonly #waiting: Waiting
  readonly #quarters = new Map<number, Quarter>()
  /** Of all quarters together. */
  readonly #total = new Figures()
  readonly #clients = new Map<string, Figures>()
  readonly #busiest: BusiestClients
  readonly #ends = new Map<number, number>()

  /** @param configured - clients whose figures are always kept */
  constructor(issuer: string, waiting: Waiting, configured: readonly string[] = []) {
    this.#busiest = new BusiestClients(MOST_CLIENTS, MOST_OTHERS, configured)
    this.#issuer = issuer
    this.#waiting = waiting
  }

  /** The positions of ends whose time is asked for by a commit, and not known. */
  unknownEnds(commits: readonly Commit[]): number[] {
    const confirmed = commits.flatMap((commit) => this.#factsOf(commit)).filter(isSent)
    const own = new Set(commits.map(({ position }) => position))
    const ends = confirmed.map(({ delivery }) => positionOfEnd(delivery))
    return [...new Set(ends)].filter((position) => !this.#ends.has(position) && !own.has(position))
  }

  /** When an end was recorded. */
  learnEnd(position: number, at: number): void {
    this.#ends.set(position, at)
    for (const oldest of this.#ends.keys()) {
      if (this.#ends.size <= MOST_ENDS) return
      this.#ends.delete(oldest)
    }
  }

  /** @param now - milliseconds since 1970: no commit is younger, whatever the clock of its writer says */
  take(commit: Commit, now: number): void {
    const facts = this.#factsOf(commit)
    if (facts.length === 0) return
    const at = Math.min(commit.at, now)
    for (const fact of facts) {
      if (fact.type === 'session_logout.terminated') {
        this.learnEnd(commit.position, commit.at)
        for (const figures of [this.#total, this.#quarterOf(at).total]) figures.count('logouts')
      } else this.#count(fact, at)
    }
  }

  /**
   * @param coveredFrom - from when on every commit was taken; undefined: from the log's beginning
   * @param now - milliseconds since 1970
   */
  told(coveredFrom: number | undefined, now: number): LogoutStatistics {
    const begins = quarterAt(now - WINDOW_MS) + QUARTER_MS
    this.#forgetBefore(begins)
    const quarters = [...this.#quarters].sort(([a], [b]) => a - b)
    return {
      since: Math.max(begins, coveredFrom ?? begins),
      isWhole: (coveredFrom ?? begins) <= begins,
      until: now,
      total: this.#total.told(),
      clients: clientsIn(this.#clients),
      moreClients: this.#busiest.others,
      quarters: quarters.map(([from, { total }]) => ({ from, ...total.told() })),
    }
  }

  #count(fact: SessionLogoutEvent, at: number): void {
    const counter = COUNTERS[fact.type]
    if (!counter || !('client_id' in fact)) return
    const { total, clients } = this.#quarterOf(at)
    const ofClient = this.#sumOf(fact.client_id, at, counter === 'attemptsFailed' ? 0 : 1)
    const counted = [this.#total, total, ...(ofClient ? [ofClient, figuresOf(clients, fact.client_id)] : [])]
    for (const figures of counted) figures.count(counter)
    if (!isSent(fact)) return
    const endedAt = this.#ends.get(positionOfEnd(fact.delivery))
    for (const figures of counted) {
      figures.latency.record(fact.took_ms)
      if (endedAt !== undefined) figures.timeToLogout.record(Math.max(0, at - endedAt - this.#waiting(endedAt, at)))
    }
  }

  /** Undefined: so many others are kept that it is known by name alone. */
  #sumOf(clientId: string, at: number, by: number): Figures | undefined {
    const { isKept, instead } = this.#busiest.count(clientId, quarterAt(at), by)
    if (instead !== undefined) {
      this.#clients.delete(instead)
      for (const { clients } of this.#quarters.values()) clients.delete(instead)
    }
    return isKept ? figuresOf(this.#clients, clientId) : undefined
  }

  /** A client of which nothing happened within the window makes room for others. */
  #forgetBefore(begins: number): void {
    const over = [...this.#quarters].filter(([from]) => from < begins)
    if (over.length === 0) return
    for (const [from, { total, clients }] of over) {
      this.#quarters.delete(from)
      this.#total.subtract(total)
      for (const [clientId, figures] of clients) this.#clients.get(clientId)?.subtract(figures)
    }
    const seen = new Set([...this.#quarters.values()].flatMap(({ clients }) => [...clients.keys()]))
    for (const clientId of this.#clients.keys()) if (!seen.has(clientId)) this.#clients.delete(clientId)
    this.#busiest.forgetBefore(begins, seen)
  }

  #quarterOf(at: number): Quarter {
    const from = quarterAt(at)
    const known = this.#quarters.get(from) ?? { total: new Figures(), clients: new Map() }
    this.#quarters.set(from, known)
    return known
  }

  /** What a commit says of logouts of this issuer. */
  #factsOf({ events, meta }: Commit): SessionLogoutEvent[] {
    return events.flatMap(({ type, data }) => {
      if (!isSessionLogout(type)) return []
      const fact = { type, ...data } as unknown as SessionLogoutEvent
      const issuer = fact.type === 'session_logout.terminated' ? fact.triggered_at_origin : meta.instance
      return issuer === this.#issuer ? [fact] : []
    })
  }
}

function isSent(fact: SessionLogoutEvent): fact is Extract<SessionLogoutEvent, { readonly took_ms: number }> {
  return fact.type === 'session_logout.back_channel.sent'
}

function quarterAt(time: number): number {
  return Math.floor(time / QUARTER_MS) * QUARTER_MS
}

function figuresOf(clients: Map<string, Figures>, clientId: string): Figures {
  const known = clients.get(clientId) ?? new Figures()
  clients.set(clientId, known)
  return known
}

/** Those with most attempts first. */
function clientsIn(clients: ReadonlyMap<string, Figures>): ClientStatistics[] {
  return [...clients]
    .sort(([a, one], [b, other]) => other.attempts - one.attempts || (a < b ? -1 : 1))
    .map(([clientId, figures]) => ({ clientId, ...figures.told() }))
}
