import type { ClientStatistics, PausedClient, PendingCount } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { ClientRow, ClientStatisticsRow } from './contract.ts'
import { withoutLate } from './late-count.ts'
import type { RouteParts } from './route.ts'

/** So many clients with most pending deliveries are counted by one command. */
export const MOST_COUNTED = 1_000

/** What clients are still to get, those with most first. */
export function countPending(logout: RouteParts['logout']): Promise<readonly PendingCount[]> {
  return logout.pendingByClient({ limit: MOST_COUNTED })
}

/** What is known of RPs by their deliveries, at one moment. */
export class KnownClients {
  readonly #logout: RouteParts['logout']
  /** Undefined: it could not be counted in time. */
  readonly #pending: ReadonlyMap<string, PendingCount> | undefined
  readonly #paused: ReadonlyMap<string, PausedClient>
  readonly #statistics: ReadonlyMap<string, ClientStatistics>
  /** Whether the statistics left out clients, since there are more than they hold. */
  readonly #isAnyLeftOut: boolean
  readonly #open: ReadonlySet<string>

  static look({ logout, pendingByClient }: Pick<RouteParts, 'logout' | 'pendingByClient'>): Promise<KnownClients> {
    return KnownClients.#look(logout, pendingByClient.look())
  }

  /** For its row alone: what others are still to get is not counted. */
  static async rowOf({ logout }: Pick<RouteParts, 'logout'>, clientId: string): Promise<ClientRow> {
    const known = await KnownClients.#look(logout, logout.pendingByClient({ clients: [clientId], limit: 1 }))
    return known.#row(clientId, known.#pending)
  }

  static async #look(logout: RouteParts['logout'], counting: Promise<readonly PendingCount[]>): Promise<KnownClients> {
    const [pending, paused, { clients, moreClients }] = await Promise.all([
      counting.catch(withoutLate),
      logout.paused(),
      logout.statistics(),
    ])
    return new KnownClients(logout, {
      pending: pending && byClientId(pending),
      paused: byClientId(paused),
      statistics: byClientId(clients),
      isAnyLeftOut: moreClients > 0,
      open: new Set(logout.openCircuits()),
    })
  }

  private constructor(
    logout: RouteParts['logout'],
    known: {
      readonly pending: ReadonlyMap<string, PendingCount> | undefined
      readonly paused: ReadonlyMap<string, PausedClient>
      readonly statistics: ReadonlyMap<string, ClientStatistics>
      readonly isAnyLeftOut: boolean
      readonly open: ReadonlySet<string>
    },
  ) {
    this.#logout = logout
    this.#pending = known.pending
    this.#paused = known.paused
    this.#statistics = known.statistics
    this.#isAnyLeftOut = known.isAnyLeftOut
    this.#open = known.open
  }

  /** Of which anything is known, and those of the provider's configuration. */
  ids(): Set<string> {
    return new Set([
      ...this.#logout.clients.configured,
      ...(this.#pending?.keys() ?? []),
      ...this.#paused.keys(),
      ...this.#statistics.keys(),
      ...this.#open,
    ])
  }

  async rows(clientIds: readonly string[]): Promise<ClientRow[]> {
    const counts = await this.#counts(clientIds)
    return clientIds.map((clientId) => this.#row(clientId, this.#pending?.has(clientId) ? this.#pending : counts))
  }

  /** What is pending for clients that are not among those with most, one command counts for all of them. */
  async #counts(clientIds: readonly string[]): Promise<ReadonlyMap<string, PendingCount> | undefined> {
    const pending = this.#pending
    const uncounted = clientIds.filter((clientId) => !pending?.has(clientId))
    if (!pending || pending.size < MOST_COUNTED || uncounted.length === 0) return pending
    const counts = await this.#logout
      .pendingByClient({ clients: uncounted, limit: uncounted.length })
      .catch(withoutLate)
    return counts && byClientId(counts)
  }

  /** @param counts - undefined: it was not counted */
  #row(clientId: string, counts: ReadonlyMap<string, PendingCount> | undefined): ClientRow {
    const count = counts?.get(clientId)
    const paused = this.#paused.get(clientId)
    const statistics = this.#statistics.get(clientId)
    const mayBeLeftOut = this.#isAnyLeftOut && !statistics && !this.#logout.clients.configured.includes(clientId)
    return {
      clientId,
      ...(counts && { pending: count?.pending ?? 0 }),
      ...(count?.oldestEndedAt !== undefined && { oldestPendingAt: count.oldestEndedAt }),
      circuit: this.#open.has(clientId) ? 'open' : 'closed',
      ...(paused && { paused }),
      ...(statistics && { statistics: statisticsRow(statistics) }),
      ...(mayBeLeftOut && { statisticsLeftOut: true }),
    }
  }
}

function byClientId<T extends { readonly clientId: string }>(all: readonly T[]): ReadonlyMap<string, T> {
  return new Map(all.map((one) => [one.clientId, one]))
}

function statisticsRow({
  confirmed,
  attemptsFailed,
  rejected,
  abandoned,
  latencyMs,
  timeToLogoutMs,
}: ClientStatistics): ClientStatisticsRow {
  const attempts = confirmed + attemptsFailed + rejected
  return {
    confirmed,
    attemptsFailed,
    rejected,
    abandoned,
    ...(attempts > 0 && { successRate: confirmed / attempts }),
    ...(latencyMs && { latencyMs: { p50: latencyMs.p50, p95: latencyMs.p95 } }),
    ...(timeToLogoutMs && { timeToLogoutMs: { p50: timeToLogoutMs.p50, p95: timeToLogoutMs.p95 } }),
  }
}
