import { type ConsumerRecord, type EventStore, type RemovedConsumer, removeConsumer } from '../../../lib/index.ts'
import { withBehind } from '../../../lib/log/behind.ts'
import { PLANNER } from '../../back-channel-logout/delivery/planner.ts'
import type { Register } from '../command-context.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import { counted } from '../terminal.ts'

interface RemoveOptions {
  readonly dryRun?: boolean
  readonly yes?: true
}

/** `checkpoints`. */
export const checkpoints: Register = (program, context) => {
  const command = program.command('checkpoints').description('the consumers of the log')
  command
    .command('list', { isDefault: true })
    .description('how far each consumer of the log has got, and who holds it')
    .action(() => {
      const { withStore, output } = context()
      return withStore(async (store) => {
        await output.list(await checkpointsOf(store), checkpointLine, 'No consumer has ever run.')
      })
    })
  command
    .command('remove')
    .description('removes a consumer that is gone for good, and holds retention back; refused while it lives')
    .argument('<name>', 'the consumer, as `checkpoints` lists it')
    .option('--dry-run', 'only tells what depends on it')
    .option('--yes', 'without asking')
    .action((name: string, { dryRun = false, yes }: RemoveOptions) => {
      const { withStore, output, confirm, terminal, endWith } = context()
      return withStore(async (store) => {
        if (name === '') throw new UsageError('which consumer? `checkpoints` lists them')
        const found = await store.consumers.get(name)
        if (found && !dryRun)
          await confirm(
            `The consumer ${name}, which has got to #${found.position}, is removed. ${dependsOn(name)}`,
            yes,
          )
        try {
          const removed = await removeConsumer({ store, clock: terminal.clock }, name, {
            dryRun,
            signal: terminal.signal,
          })
          const dependent = dependsOn(name)
          output.result({ ...removed, dependent }, () => removedText(removed))
        } catch (error) {
          if (!terminal.signal.aborted) throw error
          output.note('interrupted: nothing was removed')
          endWith(EXIT.refused)
        }
      })
    })
}

/** The consumers, and how far each is behind. */
export async function checkpointsOf(
  store: Pick<EventStore, 'end' | 'readAll'> & { readonly consumers: Pick<EventStore['consumers'], 'list'> },
): Promise<(ConsumerRecord & { readonly behind: number })[]> {
  const [consumers, end] = await Promise.all([store.consumers.list(), store.end()])
  return withBehind(store, consumers, end)
}

export function checkpointLine({
  name,
  position,
  behind,
  holder,
}: ConsumerRecord & { readonly behind: number }): string {
  const lag = behind === 0 ? 'at the end' : `${behind} behind`
  return `${name}  #${position}  ${lag}  ${holder === undefined ? 'nobody holds it' : `held by ${holder}`}`
}

/** What goes with it. */
function dependsOn(name: string): string {
  return name === PLANNER
    ? 'Back-channel logout depends on it: RPs are not told of sessions that ended after its checkpoint, orders that were ' +
        'given after it are not carried out, and an OP that starts later begins at the end of the log'
    : 'Whoever starts it later begins where its program says, and not at its checkpoint'
}

function removedText({ name, dryRun, position, behind, parked }: RemovedConsumer): string {
  const is = dryRun ? 'would be' : 'is'
  const commits = parked === 0 ? '' : `, with ${counted(parked, 'commit')} that it has parked`
  return `${name}, at #${position}, ${behind} behind, ${is} removed${commits}. ${dependsOn(name)}.`
}
