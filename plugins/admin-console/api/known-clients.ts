import type { ClientStatistics, PausedClient, PendingCount } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { ClientRow, ClientStatisticsRow } from './contract.ts'
import type { RouteParts } from './route.ts'

/** So many clients with most pending deliveries are counted by one command. */
const MOST_COUNTED = 1_000

/** Of a client beyond them so many pending deliveries are counted: by one command, for each row of a page. */
const MOST_PENDING = 100

/** What clients are still to get, those with most first. */
export function countPending(logout: RouteParts['logout']): Promise<readonly PendingCount[]> {
  return logout.pendingByClient({ limit: MOST_COUNTED })
}

/** What is known of RPs by their deliveries, at one moment. */
export class KnownClients {
  readonly #logout: RouteParts['logout']
  readonly #pending: ReadonlyMap<string, number>
  readonly #paused: ReadonlyMap<string, PausedClient>
  readonly #statistics: ReadonlyMap<string, ClientStatistics>
  readonly #open: ReadonlySet<string>

  static async look({
    logout,
    pendingByClient,
  }: Pick<RouteParts, 'logout' | 'pendingByClient'>): Promise<KnownClients> {
    const [pending, paused, { clients }] = await Promise.all([
      pendingByClient.look(),
      logout.paused(),
      logout.statistics(),
    ])
    return new KnownClients(logout, {
      pending: new Map(pending.map((one) => [one.clientId, one.pending])),
      paused: new Map(paused.map((one) => [one.clientId, one])),
      statistics: new Map(clients.map((one) => [one.clientId, one])),
      open: new Set(logout.openCircuits()),
    })
  }

  private constructor(
    logout: RouteParts['logout'],
    known: {
      readonly pending: ReadonlyMap<string, number>
      readonly paused: ReadonlyMap<string, PausedClient>
      readonly statistics: ReadonlyMap<string, ClientStatistics>
      readonly open: ReadonlySet<string>
    },
  ) {
    this.#logout = logout
    this.#pending = known.pending
    this.#paused = known.paused
    this.#statistics = known.statistics
    this.#open = known.open
  }

  /** Of which anything is known, and those of the provider's configuration. */
  ids(): Set<string> {
    return new Set([
      ...this.#logout.clients.configured,
      ...this.#pending.keys(),
      ...this.#paused.keys(),
      ...this.#statistics.keys(),
      ...this.#open,
    ])
  }

  async row(clientId: string): Promise<ClientRow> {
    const paused = this.#paused.get(clientId)
    const statistics = this.#statistics.get(clientId)
    return {
      clientId,
      pending: await this.#pendingOf(clientId),
      circuit: this.#open.has(clientId) ? 'open' : 'closed',
      ...(paused && { paused }),
      ...(statistics && { statistics: statisticsRow(statistics) }),
    }
  }

  async #pendingOf(clientId: string): Promise<number> {
    const counted = this.#pending.get(clientId)
    if (counted !== undefined || this.#pending.size < MOST_COUNTED) return counted ?? 0
    return (await this.#logout.pages.pending({ client: clientId }, { limit: MOST_PENDING })).items.length
  }
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
