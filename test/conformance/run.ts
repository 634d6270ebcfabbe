// Runs plans of the OpenID Foundation's conformance suite against the OP that serve.ts has started:
//
//   node --import ./test/support/types.mjs test/conformance/run.ts [PLAN …] [--suite URL] [--issuer URL] …
//
// docs/conformance.md tells what has to run before, and what the exit codes mean.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../lib/index.ts'
import { readArguments } from './arguments.ts'
import { PLANS } from './plans.ts'
import { EXIT, exitCodeOf, type PlanOutcome, runPlan } from './run-plan.ts'
import { SuiteApi, SuiteError } from './suite-api.ts'
import { suiteConfiguration } from './suite-clients.ts'
import { SuiteUser } from './suite-user.ts'

process.exitCode = await main(process.argv.slice(2))

async function main(args: string[]): Promise<number> {
  const given = readArguments(args)
  if (typeof given === 'string') {
    console.error(given)
    return EXIT.usage
  }
  const { names, values, browser, limitMs, pollMs } = given
  const { suite, issuer, alias, state } = values
  const token = process.env['CONFORMANCE_TOKEN']
  const api = new SuiteApi({
    ...{ baseUrl: suite, trustsAnyCertificate: !values['verify-certificate'] },
    ...(token !== undefined && { token }),
  })
  const user = await SuiteUser.launch(browser)
  const alive = setInterval(() => {}, 60_000) // the clock's timers keep no process alive
  const outcomes: PlanOutcome[] = []
  try {
    await mkdir(state, { recursive: true })
    const configuration = await suiteConfiguration(issuer, { baseUrl: suite, alias }, state)
    const parts = { api, user, clock: systemClock, limitMs, pollMs }
    for (const name of names) {
      const plan = PLANS[name]
      if (plan) outcomes.push(await runPlan(parts, plan, configuration, { folder: state, tell: console.log }))
    }
    return exitCodeOf(outcomes)
  } catch (error) {
    if (!(error instanceof SuiteError)) throw error
    console.error(error.message, error.cause ?? '')
    return EXIT.suite
  } finally {
    await writeFile(join(state, 'outcomes.json'), `${JSON.stringify(outcomes, null, 2)}\n`)
    clearInterval(alive)
    await user.close()
    await api.close()
  }
}
