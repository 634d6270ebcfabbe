import { inTime } from '../../lib/in-time.ts'
import {
  type Attributes,
  type Clock,
  GoneSeries,
  type LaneCount,
  type Reading,
  StoreUnavailableError,
  type WorkTable,
} from '../../lib/index.ts'
import type { Health } from './health.ts'
import { laneOf, lanePrefix } from './work/lanes.ts'

/** Of so many clients, those that are owed most, it is told what they are owed. */
const BUSIEST = 20

/** And of so many others: of those of the configuration, and of those that were among the former before. */
const CONFIGURED = 100
const FOLLOWED = 100

/**
 * How long counting what is owed may take, in milliseconds: the rest is told without it. A collector waits for ten seconds in
 * all, and `health()` may take half of that.
 */
const COUNT_MS = 2_000

/** What gauges are read from. */
export interface GaugeParts {
  readonly issuer: string
  readonly work: WorkTable
  readonly clock: Clock
  /** The clients of the provider's configuration. */
  readonly configured: readonly string[]
  readonly health: () => Promise<Health>
}

/** How back-channel logout stands: what `health()` says, and what is owed to whom. Three reads more than that. */
export class LogoutGauges {
  readonly #parts: GaugeParts
  readonly #configured: readonly string[]
  readonly #gone = new GoneSeries()
  /** Lanes that were among the busiest, those that were last come last. */
  readonly #followed = new Set<string>()

  constructor(parts: GaugeParts) {
    this.#parts = parts
    this.#configured = parts.configured.slice(0, CONFIGURED).map((clientId) => laneOf(parts.issuer, clientId))
  }

  /** @throws what the store throws; that it takes long to count what is owed is no error */
  async read(): Promise<readonly Reading[]> {
    const health = await this.#parts.health()
    if (!health.store.isReachable) return []
    const { deliveries, deadLetters, parked, openCircuits = [] } = health
    const about = { 'oidc_provider_eventstore.issuer': this.#parts.issuer }
    return [
      ...(deliveries?.overdueMs === undefined ? [] : [reading('overdue', deliveries.overdueMs / 1_000, about)]),
      reading('circuits_open', openCircuits.length, about),
      ...(deadLetters ? [reading('dead_letters', deadLetters.count, about)] : []),
      ...(parked ? [reading('parked', parked.count, about)] : []),
      ...(await this.#backlog()),
    ]
  }

  async #backlog(): Promise<readonly Reading[]> {
    const counting = this.#count()
    try {
      if (!(await inTime(counting, this.#parts.clock, COUNT_MS))) return []
      return this.#gone.withGone(await counting)
    } catch (error) {
      if (error instanceof StoreUnavailableError) return []
      throw error
    }
  }

  async #count(): Promise<readonly Reading[]> {
    const { work, issuer } = this.#parts
    const now = await work.time()
    const prefix = lanePrefix(issuer)
    const busiest = await work.busiest({ prefix, limit: BUSIEST })
    const found = new Set(busiest.map(({ lane }) => lane))
    // Whoever has less than they, but was told of before or is the deployment's own, is not taken for one who is owed nothing.
    const others = [...new Set([...this.#configured, ...this.#followed])].filter((lane) => !found.has(lane))
    const isAll = busiest.length < BUSIEST || others.length === 0
    const more = isAll ? [] : await work.busiest({ prefix, lanes: others, limit: others.length })
    this.#follow(found)
    return [...busiest, ...more].flatMap((count) => this.#readings(count, now, prefix))
  }

  #follow(lanes: ReadonlySet<string>): void {
    for (const lane of lanes) {
      this.#followed.delete(lane)
      this.#followed.add(lane)
    }
    for (const lane of this.#followed) {
      if (this.#followed.size <= FOLLOWED) return
      this.#followed.delete(lane)
    }
  }

  #readings({ lane, open, oldest }: LaneCount, now: number, prefix: string): Reading[] {
    const about = {
      'oidc_provider_eventstore.issuer': this.#parts.issuer,
      'messaging.destination.name': lane.slice(prefix.length),
    }
    const age = oldest === undefined ? [] : [reading('backlog_age', Math.max(0, now - oldest) / 1_000, about)]
    return [reading('backlog', open, about), ...age]
  }
}

type Name = 'overdue' | 'circuits_open' | 'dead_letters' | 'parked' | 'backlog' | 'backlog_age'

function reading(name: Name, value: number, attributes: Attributes): Reading {
  return { instrument: `oidc_provider_eventstore.logout.${name}`, value, attributes }
}
