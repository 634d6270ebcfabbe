import { consoleLogger, silent } from '../../lib/logger.ts'
import { endRun } from './end-of-run.ts'
import { checkedLogger, leaks } from './leak-check.ts'
import { leftRunning } from './left-running.ts'
import { throwUnhandled } from './unhandled-rejections.ts'

// mocha's command starts a second process that runs the tests, and leaves it alone when it is itself killed by anything
// but Ctrl-C. Without its parent this process would go on, with all the servers that it started.
const parent = process.ppid
setInterval(() => {
  if (process.ppid !== parent) process.exit(1)
}, 500).unref()

// Where no logger is given this package prints warnings and errors. Tests cause them on purpose; those that are about a
// line give a logger.
for (const method of ['warn', 'error'] as const) {
  const print = console[method]
  console[method] = (...args: unknown[]) => {
    if (!String(args[0]).startsWith('oidc-provider-eventstore ')) print.apply(console, args)
  }
}

// Whatever logs to one of the two has its lines looked at for secrets; scenes see to the other loggers.
for (const logger of [silent, consoleLogger]) Object.assign(logger, checkedLogger({ ...logger }))

/** Sockets that were told to close need a few turns of the event loop before they are gone. */
const GRACE_MS = Number(process.env['EVENTSTORE_TEST_GRACE_MS'] ?? 10_000)

/** After each file where files run side by side, each in one of several processes; else after all of them. */
export const mochaHooks = {
  /** mocha takes all listeners away at the end of each file where files run side by side. */
  beforeAll(): void {
    process.off('unhandledRejection', throwUnhandled)
    process.on('unhandledRejection', throwUnhandled)
  },

  beforeEach(this: Mocha.Context): void {
    leaks.during = this.currentTest?.fullTitle() ?? 'no test'
  },

  afterEach(): void {
    leaks.look()
  },

  async afterAll(this: Mocha.Context): Promise<void> {
    await nothingLeft(this)
    noLeaks()
  },
}

function noLeaks(): void {
  const found = leaks.take()
  if (found.length > 0) throw new Leaked(found)
}

async function nothingLeft(hook: Mocha.Context): Promise<void> {
  await Promise.resolve() // mocha sets its timer after the call
  hook.runnable().clearTimeout() // it would be one of those left
  const deadline = performance.now() + GRACE_MS
  let left = leftRunning()
  while (left.length > 0 && performance.now() < deadline) {
    // Not unref'ed: with nothing else alive the process would end here, in the middle of the report. The turn after it
    // is for the timer itself to be off the list.
    await new Promise((resolve) => setTimeout(resolve, 20))
    await new Promise((resolve) => setImmediate(resolve))
    left = leftRunning()
  }
  if (left.length > 0) throw new LeftRunning(left)
}

/** The server of a run in one process. Where there are several, each one's own ends with it. */
export async function mochaGlobalTeardown(): Promise<void> {
  // Not by its module: that loads MongoDB's driver, in each process that runs tests.
  await endRun()
}

class LeftRunning extends Error {
  constructor(left: string[]) {
    super(`the tests left something running:\n${left.map((line) => `  - ${line}`).join('\n')}`)
    // Where the check stands says nothing about what was left.
    this.stack = this.message
  }
}

class Leaked extends Error {
  constructor(found: readonly string[]) {
    super(`log lines, spans or measurements hold secrets:\n${found.map((line) => `  - ${line}`).join('\n')}`)
    // Where the check stands says nothing about what was logged.
    this.stack = this.message
  }
}
