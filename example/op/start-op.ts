import Koa from 'koa'
import mount from 'koa-mount'
import Provider from 'oidc-provider'
import { type EventStore, eventSourced, type Telemetry } from 'oidc-provider-eventstore'
import { adminConsole } from 'oidc-provider-eventstore/plugins/admin-console'
import { backChannelLogout } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { Logger } from 'pino'
import { assets } from '../pages/assets.ts'
import { failurePages } from '../pages/failures.ts'
import { LiveUpdates } from '../pages/live-updates.ts'
import { securityHeaders } from '../pages/security-headers.ts'
import type { Running } from '../running.ts'
import type { Settings } from '../settings.ts'
import { serve } from '../web-server.ts'
import { configuration } from './configuration.ts'
import { dashboard, LOG } from './dashboard.ts'
import { devices } from './devices.ts'
import { followLog } from './follow-log.ts'
import { healthCheck } from './health-check.ts'
import { interactions } from './interactions.ts'
import type { Metrics } from './metrics.ts'
import { openStore } from './open-store.ts'
import { makePassword, OperatorSignIn } from './operator-sign-in.ts'
import { CONSOLE, operatorSignInRoutes, SIGN_IN, SIGN_OUT } from './operator-sign-in-routes.ts'
import { RecentLogouts } from './recent-logouts.ts'
import { opSecrets } from './secrets.ts'

/** How many logouts are shown, and how far back in the log they are looked for. */
const LOGOUTS = 12
const LOOK_BACK = 2_000

export interface RunningOp extends Running {
  /** The way in to the operators' console: other at each start. */
  readonly operatorPassword: string
}

/** Starts the OP: the log, the provider on it, the plugin, and the pages around them. */
export async function startOp(settings: Settings, logger: Logger): Promise<RunningOp> {
  const { store, where, close } = await openStore(settings, logger)
  let metrics: Metrics | undefined
  try {
    // Loaded when it is needed: nothing else of the OP needs OpenTelemetry.
    if (settings.metricsPort !== undefined)
      metrics = await (await import('./metrics.ts')).serveMetrics(settings.metricsPort)
    const started = await startOn(store, settings, logger, metrics?.telemetry)
    logger.info(`the log is in ${where}`)
    return {
      operatorPassword: started.operatorPassword,
      async stop() {
        await started.stop()
        await metrics?.stop()
        await close()
      },
    }
  } catch (error) {
    await metrics?.stop()
    await close()
    throw error
  }
}

async function startOn(
  store: EventStore,
  settings: Settings,
  logger: Logger,
  telemetry: Telemetry | undefined,
): Promise<RunningOp> {
  const { op, rps } = settings
  const places = [op, ...rps]
  const logout = backChannelLogout({
    // Both only because these RPs are on this machine, over plain HTTP.
    development: true,
    allowInternal: rps.map(({ id }) => id),
    delivery: { retryDelaysMs: settings.retryDelaysMs, jitter: 0 },
  })
  const account = devices(logout, () => provider, op, places)
  const onLog = eventSourced(store, { plugins: [logout, account], logger, ...(telemetry && { telemetry }) })
  const secrets = await opSecrets(settings.stateFolder)
  const provider: Provider = new Provider(`${op.origin}/oidc`, onLog.configure(await configuration(settings, secrets)))
  await onLog.start(provider)

  const liveUpdates = new LiveUpdates()
  const recentLogouts = new RecentLogouts(logout, LOGOUTS)
  const end = await store.end()
  recentLogouts.follow(await store.readAll({ after: Math.max(0, end - LOOK_BACK), limit: LOOK_BACK }))
  await tellWhatIsOwed(recentLogouts, logger)
  const following = followLog(
    store,
    end,
    (commits) => {
      recentLogouts.follow(commits)
      liveUpdates.changed(LOG)
    },
    logger,
  )

  const unforeseen = (err: unknown, { method, path }: Koa.Context): void =>
    logger.error({ err, method, path }, 'failed')
  const operatorPassword = makePassword()
  const signIn = new OperatorSignIn(operatorPassword)
  const operatorConsole = adminConsole<Koa.Context>({
    op: onLog,
    logout,
    store,
    authorize: signIn.authorize,
    basePath: CONSOLE,
    origin: op.origin,
    signInUrl: SIGN_IN,
    signOutUrl: SIGN_OUT,
    logger,
  })
  const app = new Koa()
  // Mounted, the provider writes its cookies through this application, and reads some of them through itself.
  app.keys = [...secrets.cookieKeys]
  app.use(securityHeaders(rps.map(({ origin }) => origin)))
  app.use(failurePages({ app: 'op', places }, unforeseen))
  app.use(assets)
  app.use(healthCheck(logout))
  app.use(dashboard({ provider, store, recentLogouts, liveUpdates }, places))
  app.use(account.site.koa)
  app.use(operatorSignInRoutes(signIn, op.origin, places))
  app.use(operatorConsole.koa)
  app.use(interactions(provider, places))
  app.use(mount('/oidc', provider))

  const stop = async (): Promise<void> => {
    liveUpdates.close()
    await following.stop()
    await onLog.stop()
  }
  try {
    const server = await serve(app, op)
    return {
      operatorPassword,
      async stop() {
        liveUpdates.close() // or the server would wait for open pages
        operatorConsole.close()
        await server.close()
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** After a restart: which RPs the process before had not reached. */
async function tellWhatIsOwed(recentLogouts: RecentLogouts, logger: Logger): Promise<void> {
  const owed = (await recentLogouts.list())
    .flatMap(({ relyingParties }) => relyingParties)
    .filter(({ state }) => state === 'pending')
  if (owed.length === 0) return
  const rps = [...new Set(owed.map(({ clientId }) => clientId))].join(', ')
  logger.info({ deliveries: owed.length }, `logouts of before are still to be told to ${rps}: it goes on`)
}
