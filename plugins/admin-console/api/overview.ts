import type { PendingCount } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { assertKnown } from '../../../lib/web/fields.ts'
import type { Me, OldestPending, Overview } from './contract.ts'
import { MOST_COUNTED } from './known-clients.ts'
import { withoutLate } from './late-count.ts'
import { problemsOf } from './problems.ts'
import { REASONS } from './reasons.ts'
import type { Route, RouteParts } from './route.ts'

/** Who is signed in, and what the pages need to know. */
export const showMe: Route = {
  role: 'viewer',
  handle({ logout, operator, signOutUrl, process, fields }) {
    assertKnown(fields, [])
    const me: Me = {
      name: operator.name,
      role: operator.role,
      issuer: logout.issuer,
      reasons: REASONS,
      process,
      ...(signOutUrl !== undefined && { signOutUrl }),
    }
    return { body: me }
  },
}

/** How it stands. While the store does not answer, that is what it says. */
export const showOverview: Route = {
  role: 'viewer',
  async handle({ overview, fields }) {
    assertKnown(fields, [])
    return { body: await overview.look() }
  },
}

export async function lookAtAll({
  logout,
  sessionCount,
  pendingByClient,
  clock,
}: Pick<RouteParts, 'logout' | 'sessionCount' | 'pendingByClient' | 'clock'>): Promise<Overview> {
  const at = clock.now()
  const counting = pendingByClient.look().catch(withoutLate) // with whoever asks now: it looks at all that is pending
  counting.catch(() => undefined) // where the store does not answer nobody waits for it
  const health = await logout.health()
  if (!health.store.isReachable) return { at, health, paused: [], problems: problemsOf({ health, paused: [] }) }
  const [sessions, statistics, paused, pending] = await Promise.all([
    sessionCount.look(),
    logout.statistics(),
    logout.paused(),
    counting,
  ])
  const oldestPending = pending && oldestOf(pending)
  return {
    at,
    health,
    sessions,
    statistics,
    paused,
    problems: problemsOf({ health, paused }),
    ...(oldestPending && { oldestPending }),
  }
}

/** The RP that has waited longest, of those with most pending deliveries. */
export function oldestOf(counts: readonly PendingCount[]): OldestPending | undefined {
  const isExact = counts.length < MOST_COUNTED
  return counts.reduce<OldestPending | undefined>(
    (oldest, { clientId, oldestEndedAt: endedAt }) =>
      endedAt === undefined || (oldest && oldest.endedAt <= endedAt) ? oldest : { clientId, endedAt, isExact },
    undefined,
  )
}
