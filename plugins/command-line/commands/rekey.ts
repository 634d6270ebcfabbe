import type { EventStore } from '../../../lib/index.ts'
import { rekeyLog } from '../../../lib/rekey/rekey.ts'
import type { NeededCount, RekeyReport } from '../../../lib/rekey/rekey-report.ts'
import type { Register } from '../command-context.ts'
import { EXIT } from '../exit-codes.ts'
import { TABLES } from '../log-status.ts'
import { counted, moment } from '../terminal.ts'

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
        output.result(report, () => reportText(report, formerHashingKeys(store), !signal.aborted))
        if (signal.aborted) {
          output.note('interrupted: the next run does the rest')
          return endWith(EXIT.refused)
        }
        const isDone = Object.keys(report.sealing).length === 0 && report.hashing.length === 0
        if (!isDone) endWith(EXIT.findings)
      })
    })
}

/** The ids of the hashing keys behind the first. */
function formerHashingKeys({ keys }: EventStore): string[] {
  return keys
    .anchorSecrets()
    .slice(1)
    .map(({ id }) => id)
}

function reportText(
  { dryRun, accountKeys, states, sealing, hashing }: RekeyReport,
  formerHashing: readonly string[],
  isWhole: boolean,
): string {
  const verb = dryRun ? 'would be sealed anew' : 'sealed anew'
  const lines = [
    `keys of accounts: ${accountKeys.resealed} of ${accountKeys.looked} ${verb}${unreadable(accountKeys.unreadable)}`,
    `states: ${states.resealed} of ${states.looked} ${verb}${unreadable(states.unreadable)}`,
  ]
  for (const [key, needed] of Object.entries(sealing))
    lines.push(`the sealing key "${key}" is still needed`, ...needed.map(neededText))
  if (hashing.length > 0) lines.push(`${hashingKeyText(formerHashing)} is still needed`, ...hashing.map(neededText))
  if (states.unnamed > 0)
    lines.push(
      counted(
        states.unnamed,
        'state of models of your own does not hold its id: no new hashing key finds it',
        'states of models of your own do not hold their id: no new hashing key finds them',
      ),
    )
  if (isWhole) lines.push(...removableText(dryRun, sealing, hashing, formerHashing))
  return lines.join('\n')
}

/** Which of several finds it nobody knows: what is stored names none. */
function hashingKeyText(former: readonly string[]): string {
  const ids = former.map((id) => `"${id}"`).join(', ')
  if (former.length === 0) return 'a hashing key that is not among keys.hashing'
  return former.length === 1 ? `the hashing key ${ids}` : `one of the hashing keys ${ids}`
}

function removableText(
  dryRun: boolean,
  sealing: RekeyReport['sealing'],
  hashing: RekeyReport['hashing'],
  formerHashing: readonly string[],
): string[] {
  const isSealingDone = Object.keys(sealing).length === 0
  if (dryRun)
    return isSealingDone && hashing.length === 0 ? ['after a run that is no dry run no former key is needed'] : []
  const lines = isSealingDone
    ? ['no former sealing key is needed: where there is one, take it out, and name it in keys.retired']
    : []
  if (hashing.length === 0 && formerHashing.length > 0)
    lines.push(
      `no former hashing key is needed: ${formerHashing.map((id) => `"${id}"`).join(', ')} may be taken out. Anchors that were made without a key pair of their own are verified with the hashing key of their day: keep it for them`,
    )
  return lines
}

function unreadable(count: number): string {
  return count > 0 ? `, ${count} cannot be opened` : ''
}

function neededText({ of, count, until }: NeededCount): string {
  if (of === 'endings') return `  orders to end sessions  ${count}, until they are carried out`
  return `  ${of}  ${count}${until === undefined ? ', without an end' : `, until ${moment(until)}`}`
}
