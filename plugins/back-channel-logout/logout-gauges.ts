import type { Attributes, Reading, WorkTable } from '../../lib/index.ts'
import type { Health } from './health.ts'
import { lanePrefix } from './work/lanes.ts'

/** Of so many clients, those that are owed most, it is told what they are owed. */
const CLIENTS = 20

/** What gauges are read from. */
export interface GaugeParts {
  readonly issuer: string
  readonly work: WorkTable
  readonly health: () => Promise<Health>
}

/** How back-channel logout stands: what `health()` says, and what is owed to whom. Two reads more than that. */
export async function logoutGauges(parts: GaugeParts): Promise<readonly Reading[]> {
  const health = await parts.health()
  if (!health.store.isReachable) return []
  const { deliveries, deadLetters, parked, openCircuits = [] } = health
  const about = { 'oidc_provider_eventstore.issuer': parts.issuer }
  return [
    ...(deliveries?.overdueMs === undefined ? [] : [reading('overdue', deliveries.overdueMs / 1_000, about)]),
    reading('circuits_open', openCircuits.length, about),
    ...(deadLetters ? [reading('dead_letters', deadLetters.count, about)] : []),
    ...(parked ? [reading('parked', parked.count, about)] : []),
    ...(await backlog(parts)),
  ]
}

async function backlog({ work, issuer }: GaugeParts): Promise<Reading[]> {
  const now = await work.time()
  const prefix = lanePrefix(issuer)
  const lanes = await work.busiest({ prefix, limit: CLIENTS })
  const readings: Reading[] = []
  for (const { lane, open, oldest } of lanes) {
    const about = {
      'oidc_provider_eventstore.issuer': issuer,
      'messaging.destination.name': lane.slice(prefix.length),
    }
    readings.push(reading('backlog', open, about))
    if (oldest !== undefined) readings.push(reading('backlog_age', Math.max(0, now - oldest) / 1_000, about))
  }
  return readings
}

type Name = 'overdue' | 'circuits_open' | 'dead_letters' | 'parked' | 'backlog' | 'backlog_age'

function reading(name: Name, value: number, attributes: Attributes): Reading {
  return { instrument: `oidc_provider_eventstore.logout.${name}`, value, attributes }
}
