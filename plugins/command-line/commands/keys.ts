import { generateSecret, type Keys } from '../../../lib/index.ts'
import type { Register } from '../command-context.ts'
import { UsageError } from '../exit-codes.ts'

/** `keys generate`. */
export const keys: Register = (program, context) => {
  const command = program.command('keys').description('keys that hash ids and seal payloads')
  command
    .command('generate')
    .description('makes new keys and prints them as JSON, for a secret store')
    .option('--id <id>', 'the name of the new keys. Default: today')
    .action((options: { readonly id?: string }) => {
      const { output, terminal } = context()
      const id = options.id ?? new Date(terminal.clock.now()).toISOString().slice(0, 10)
      if (!/^[A-Za-z0-9_-]{1,32}$/.test(id)) throw new UsageError('--id takes 1 to 32 letters, digits, - or _')
      const made: Keys = { sealing: [{ id, secret: generateSecret() }], hashing: [{ id, secret: generateSecret() }] }
      output.result(made, () => JSON.stringify(made, null, 2))
      output.note('Keep them where secrets are kept: without them nothing that is stored can be read.')
    })
}
