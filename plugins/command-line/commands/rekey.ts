import { rekeyLog } from '../../../lib/rekey/rekey.ts'
import type { NeededCount, RekeyReport } from '../../../lib/rekey/rekey-report.ts'
import type { Register } from '../command-context.ts'
import { EXIT } from '../exit-codes.ts'
import { TABLES } from '../log-status.ts'
import { moment } from '../terminal.ts'

interface Options {
  readonly dryRun?: boolean
  readonly yes?: true
}

/** `rekey`: has what lives depend on the newest keys alone. */
export const rekey: Register = (program, context) => {
  program
    .command('rekey')
    .description('has what lives sealed and found by the newest keys alone, and says what still needs a former one')
    .option('--dry-run', 'only counts')
    .option('--yes', 'without asking')
    .action(async ({ dryRun = false, yes }: Options) => {
      const { withStore, output, confirm, terminal, endWith } = context()
      if (!dryRun)
        await confirm('Every process of the OP must have the newest keys by now. What lives is stored again', yes)
      await withStore(async (store) => {
        const { clock, signal } = terminal
        const report = await rekeyLog(
          { store, clock, work: TABLES },
          {
            dryRun,
            signal,
            onProgress: ({ at, end, resealed }) => output.progress(`${at} of ${end}, ${resealed} sealed anew`),
          },
        )
        output.result(report, () => reportText(report))
        if (signal.aborted) {
          output.note('interrupted: the next run does the rest')
          return endWith(EXIT.refused)
        }
        const isDone = Object.keys(report.sealing).length === 0 && report.hashing.length === 0
        if (!isDone) endWith(EXIT.findings)
      })
    })
}

function reportText({ dryRun, accountKeys, states, sealing, hashing }: RekeyReport): string {
  const verb = dryRun ? 'would be sealed anew' : 'sealed anew'
  const lines = [
    `keys of accounts: ${accountKeys.resealed} of ${accountKeys.looked} ${verb}${unreadable(accountKeys.unreadable)}`,
    `states: ${states.resealed} of ${states.looked} ${verb}${unreadable(states.unreadable)}`,
  ]
  for (const [key, needed] of Object.entries(sealing))
    lines.push(`the sealing key "${key}" is still needed`, ...needed.map(neededText))
  if (hashing.length > 0) lines.push('a former hashing key is still needed', ...hashing.map(neededText))
  if (states.unnamed > 0)
    lines.push(`${states.unnamed} states of models of your own do not hold their id: no new hashing key finds them`)
  const isDone = Object.keys(sealing).length === 0 && hashing.length === 0
  if (isDone) lines.push('no former key is needed: take it out, and name a sealing key in keys.retired')
  return lines.join('\n')
}

function unreadable(count: number): string {
  return count > 0 ? `, ${count} cannot be opened` : ''
}

function neededText({ of, count, until }: NeededCount): string {
  return `  ${of}  ${count}${until === undefined ? ', without an end' : `, until ${moment(until)}`}`
}
