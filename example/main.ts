import { makeLogger } from './logger.ts'
import type { Running } from './running.ts'
import { readSettings, type Settings } from './settings.ts'
import { explain } from './startup-error.ts'

const running: Running[] = []
try {
  const settings = readSettings(process.env)
  const operatorPassword = await start(settings)
  stopOnSignals()
  sayWhereToClick(settings, operatorPassword)
} catch (error) {
  console.error(explain(error))
  await stop()
  process.exit(1)
}

/** @returns the operators' password, where the OP is among what was started */
async function start(settings: Settings): Promise<string | undefined> {
  const { start, op, rps } = settings
  const logger = makeLogger(settings.logLevel)
  // The RPs first: the OP goes on telling them of logouts as soon as it is there. Loaded when they are needed, since an
  // RP needs none of what the OP needs.
  for (const rp of rps) {
    if (!start.has(rp.id)) continue
    const { startRp } = await import('./rp/start-rp.ts')
    running.push(await startRp(rp, settings, logger.child({ app: rp.id })))
  }
  if (!start.has(op.id)) return undefined
  if (!isWelcome(process.release.lts)) {
    console.log(`oidc-provider wants an LTS release of Node from 22 on, and warns of ${process.version}; it works:`)
  }
  const { startOp } = await import('./op/start-op.ts')
  const started = await startOp(settings, logger.child({ app: op.id }))
  running.push(started)
  return started.operatorPassword
}

/** Whether oidc-provider takes the release without a warning. Their names go by the alphabet; Node 22 is Jod. */
function isWelcome(release: string | undefined): boolean {
  return release !== undefined && release >= 'Jod'
}

async function stop(): Promise<void> {
  // The OP first: what it has in flight to an RP may still be answered.
  for (const one of running.splice(0).reverse()) await one.stop()
}

function stopOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Once: who is impatient sends it again, and the process ends as processes do.
    process.once(signal, () => {
      console.log('\n  Stopping: what is being answered or sent is finished first.\n')
      void stop().then(() => process.exit(0))
    })
  }
}

function sayWhereToClick({ op, rps, start, metricsPort }: Settings, operatorPassword: string | undefined): void {
  const rows = [
    ...rps.filter(({ id }) => start.has(id)).map(({ name, origin }) => [name, origin, 'log in here'] as const),
    ...(operatorPassword === undefined
      ? []
      : [
          [op.name, op.origin, 'its log, and who was told of which logout'] as const,
          ['Operators', `${op.origin}/operators`, `the password of this run: ${operatorPassword}`] as const,
          ...(metricsPort === undefined
            ? []
            : [['Metrics', `http://127.0.0.1:${metricsPort}/metrics`, 'what the OP measures'] as const]),
        ]),
  ]
  const names = Math.max(...rows.map(([name]) => name.length))
  const urls = Math.max(...rows.map(([, url]) => url.length))
  const lines = rows.map(([name, url, what]) => `  ${name.padEnd(names)}   ${url.padEnd(urls)}   ${what}`)
  console.log(
    `\n${lines.join('\n')}\n\n  Log in at both RPs, log out at one, and watch the other. example/README.md walks through it.\n  Ctrl-C stops it.\n`,
  )
}
