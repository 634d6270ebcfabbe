import type { PendingDelivery } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { assertKnown } from '../../../lib/web/fields.ts'
import type { Me, OldestPending, Overview } from './contract.ts'
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

/** So many pending deliveries are looked at for the oldest. */
const LOOKED_AT = 200

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
  clock,
}: Pick<RouteParts, 'logout' | 'sessionCount' | 'clock'>): Promise<Overview> {
  const at = clock.now()
  const health = await logout.health()
  if (!health.store.isReachable) return { at, health, paused: [], problems: problemsOf({ health, paused: [] }) }
  const [sessions, statistics, paused, pending] = await Promise.all([
    sessionCount.look(),
    logout.statistics(),
    logout.paused(),
    logout.pages.pending({}, { limit: LOOKED_AT }),
  ])
  const oldestPending = oldestOf(pending)
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

/** The one that has waited longest, of those on a page. */
export function oldestOf(page: {
  readonly items: readonly PendingDelivery[]
  readonly next?: string
}): OldestPending | undefined {
  const oldest = page.items.reduce<PendingDelivery | undefined>(
    (least, one) => (least && least.endedAt <= one.endedAt ? least : one),
    undefined,
  )
  if (!oldest) return undefined
  const { clientId, sessionUid, endedAt } = oldest
  return { clientId, sessionUid, endedAt, isExact: page.next === undefined }
}
