import type { ConsumerRecord } from '../../../lib/index.ts'
import type { Register } from '../command-context.ts'

/** `checkpoints`. */
export const checkpoints: Register = (program, context) => {
  program
    .command('checkpoints')
    .description('how far each consumer of the log has got, and who holds it')
    .action(() => {
      const { withStore, output } = context()
      return withStore(async (store) => {
        const [consumers, end] = await Promise.all([store.consumers.list(), store.end()])
        await output.list(
          consumers.map((consumer) => ({ ...consumer, behind: end - consumer.position })),
          checkpointLine,
          'No consumer has ever run.',
        )
      })
    })
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
