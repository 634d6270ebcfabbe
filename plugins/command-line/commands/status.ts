import type { Register } from '../command-context.ts'
import { COUNTED, type LogStatus, statusOf } from '../log-status.ts'
import { counted, countedTo, moment } from '../terminal.ts'
import { checkpointLine } from './checkpoints.ts'

/** `status`. */
export const status: Register = (program, context) => {
  program
    .command('status')
    .description('how the log stands: its end, who follows it, what is owed, retention')
    .action(() => {
      const { withStore, output } = context()
      return withStore(async (store, { name }) => {
        const found = await statusOf(store, name)
        output.result(found, () => textOf(found))
      })
    })
}

function textOf({ store, end, retention, consumers, work, living, lastCommitAt }: LogStatus): string {
  const { floor, removed, walkedAt } = retention
  return [
    store,
    `log       ends at #${end}${lastCommitAt === undefined ? '' : `, last commit ${moment(lastCommitAt)}`}`,
    `retention ${counted(removed, 'commit')} removed so far, up to #${floor}; the whole log was gone through ${moment(walkedAt)}`,
    ...consumers.map((consumer) => `consumer  ${checkpointLine(consumer)}`),
    ...Object.entries(work).map(
      ([table, count]) =>
        `work      ${table}  ${countedTo(COUNTED, count, 'open', 'open')}${table === 'endings' ? ', expiries of sessions that live among them' : ''}`,
    ),
    `running   ${livingText(living)}`,
  ].join('\n')
}

/** Signs of life are not counted for people: a process leaves several, and who has died lately has left some too. */
function livingText(signs: number): string {
  return signs === 0
    ? 'no process of the OP'
    : 'a process of the OP, or several, or one that has died lately: `doctor` watches for ten seconds and tells'
}
