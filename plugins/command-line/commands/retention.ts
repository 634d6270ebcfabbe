import {
  type EventStore,
  type RetentionOptions,
  type RetentionReport,
  silent,
  systemClock,
} from '../../../lib/index.ts'
import { LogRetention } from '../../../lib/retention/retention.ts'
import { retentionPolicy } from '../../../lib/retention/retention-options.ts'
import { sessionLogoutRule } from '../../back-channel-logout/recording/retention-rule.ts'
import type { Register } from '../command-context.ts'
import { EXIT } from '../exit-codes.ts'
import { wholeNumber } from '../numbers.ts'
import { counted, moment } from '../terminal.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

/** For how long a delivery may be owed at most, whatever the OP is configured for: see `delivery.maxAgeMs`. */
const MAX_AGE_MS = 365 * DAY_MS

interface Options {
  readonly dryRun?: true
  readonly yes?: true
  readonly statesDays?: number
  readonly interactionsHours?: number
  readonly logoutsDays?: number
}

/** `retention`: removes what nobody needs any more, or counts it. */
export const retention: Register = (program, context) => {
  program
    .command('retention')
    .description('removes what nobody needs any more, or counts it; a running OP does so by itself, once a day')
    .option('--dry-run', 'only counts it')
    .option('--states-days <number>', 'expired, ended and replaced states are kept so long', wholeNumber)
    .option('--interactions-hours <number>', 'what strangers write is kept so long', wholeNumber)
    .option('--logouts-days <number>', 'histories of logouts are kept so long', wholeNumber)
    .option('--yes', 'without asking')
    .action(async (options: Options) => {
      const { withStore, output, confirm, terminal, endWith } = context()
      const dryRun = options.dryRun ?? false
      if (!dryRun) await confirm('What nobody needs any more is removed for good', options.yes)
      await withStore(async (store) => {
        const report = await retentionOf(store, policyOptions(options)).run({
          dryRun,
          signal: terminal.signal,
          onProgress: (progress) => output.progress(progressText(progress)),
        })
        output.result(report, () => reportText(report))
        if (terminal.signal.aborted) {
          output.note('interrupted: the next run goes on')
          endWith(EXIT.refused)
        }
      })
    })
}

export function retentionOf(store: EventStore, options: RetentionOptions = {}): LogRetention {
  return new LogRetention({
    store,
    clock: systemClock,
    logger: silent,
    policy: retentionPolicy(options),
    rules: [sessionLogoutRule(MAX_AGE_MS)],
  })
}

function policyOptions({ statesDays, interactionsHours, logoutsDays }: Options): RetentionOptions {
  return {
    ...(statesDays !== undefined && { statesMs: statesDays * DAY_MS }),
    ...(interactionsHours !== undefined && { interactionsMs: interactionsHours * HOUR_MS }),
    ...(logoutsDays !== undefined && { sessionLogoutsMs: logoutsDays * DAY_MS }),
  }
}

/** How far it got. */
export function progressText({ looked, commits }: Pick<RetentionReport, 'looked' | 'commits'>): string {
  return `${counted(looked, 'commit')} looked at, ${counted(commits, 'goes', 'go')}`
}

function reportText({ dryRun, looked, commits, kinds, heldBy, watchedSince }: RetentionReport): string {
  const lines = [`${commits} of ${counted(looked, 'commit')} ${dryRun ? 'would go' : 'went'}`]
  for (const [kind, count] of Object.entries(kinds)) lines.push(`  ${kind}  ${count}`)
  if (heldBy)
    lines.push(
      `nothing above position ${heldBy.position} was looked at: the consumer ${heldBy.consumer} is not further`,
    )
  if (watchedSince === undefined) {
    const first = dryRun ? 'the first run that is no dry run' : 'this run'
    lines.push(`nothing is known to be old yet: retention notes itself where the log ends, and begins with ${first}`)
  } else lines.push(`how old the log is has been noted since ${moment(watchedSince)}`)
  return lines.join('\n')
}
