import type { Middleware } from 'koa'
import type { Provider } from 'oidc-provider'
import type { EventStore } from 'oidc-provider-eventstore'
import { show } from '../pages/layout.ts'
import type { LiveUpdates } from '../pages/live-updates.ts'
import type { Place } from '../settings.ts'
import { dashboardPage } from './dashboard-page.ts'
import type { RecentLogouts } from './recent-logouts.ts'

/** The topic under which the OP's page hears of new commits. */
export const LOG = 'log'

/** How much of the log is shown. */
const COMMITS = 40

/** The OP's first page: who is logged in in this browser, the receipts of the last logouts, the log. */
export function dashboard(
  parts: {
    readonly provider: Provider
    readonly store: EventStore
    readonly recentLogouts: RecentLogouts
    readonly liveUpdates: LiveUpdates
  },
  places: readonly Place[],
): Middleware {
  const { provider, store, recentLogouts, liveUpdates } = parts
  return async (ctx, next) => {
    if (ctx.method !== 'GET') return next()
    if (ctx.path === '/live') return liveUpdates.open(ctx, LOG)
    if (ctx.path !== '/') return next()
    const end = await store.end()
    const main = dashboardPage({
      session: await provider.Session.get(ctx),
      logouts: await recentLogouts.list(),
      commits: await store.readAll({ after: Math.max(0, end - COMMITS), limit: COMMITS }),
      places,
      endSession: `${provider.issuer}/session/end`,
    })
    show(ctx, { app: 'op', places, title: 'Logouts and log', main, updates: '/live', wide: true })
  }
}
