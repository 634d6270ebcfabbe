import type { Register } from '../command-context.ts'

/** `prepare`. */
export const prepare: Register = (program, context) => {
  program
    .command('prepare')
    .description('makes what the log needs in a database, so that the OP may run with a user who may not')
    .action(async () => {
      const { makeStore, output } = context()
      const { name } = await makeStore()
      output.result({ prepared: name }, () => `${name}: all that the log needs is there.`)
    })
}
