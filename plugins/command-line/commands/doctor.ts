import type { Register } from '../command-context.ts'
import { EXIT } from '../exit-codes.ts'
import { findingsOf } from '../findings.ts'

/** `doctor`. */
export const doctor: Register = (program, context) => {
  program
    .command('doctor')
    .description('looks for what needs an operator, and says what to do; ends with 1 where it finds something')
    .action(() => {
      const { withStore, output, issuerIfNamed, terminal, endWith } = context()
      const issuer = issuerIfNamed()
      return withStore(async (store, { name }) => {
        output.note(
          `${name}: schema, indexes, server, rights and keys are as they must be, or it would not have opened.`,
        )
        const findings = await findingsOf(store, terminal.clock, issuer)
        await output.list(
          findings,
          ({ severity, what, todo }) => `${severity === 'fault' ? 'FAULT' : 'note '}  ${what}\n       ${todo}`,
          'Nothing needs an operator.',
        )
        if (issuer === undefined) output.note('Logouts were not looked at: --issuer, or EVENTSTORE_ISSUER, says whose.')
        if (findings.some(({ severity }) => severity === 'fault')) endWith(EXIT.findings)
      })
    })
}
