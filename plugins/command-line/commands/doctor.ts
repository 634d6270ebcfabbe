import type { Register } from '../command-context.ts'
import { EXIT } from '../exit-codes.ts'
import { findingsOf } from '../findings.ts'

/** `doctor`. */
export const doctor: Register = (program, context) => {
  program
    .command('doctor')
    .description('looks for what needs an operator, and says what to do; ends with 1 where it finds something')
    .action(() => {
      const { withStore, output, issuer, terminal, endWith } = context()
      const of = terminal.env['EVENTSTORE_ISSUER'] === undefined ? issuerOrNone(issuer) : issuer()
      return withStore(async (store, name) => {
        output.note(
          `${name}: schema, indexes, server, rights and keys are as they must be, or it would not have opened.`,
        )
        const findings = await findingsOf(store, terminal.clock, of)
        await output.list(
          findings,
          ({ severity, what, todo }) => `${severity === 'fault' ? 'FAULT' : 'note '}  ${what}\n       ${todo}`,
          'Nothing needs an operator.',
        )
        if (findings.some(({ severity }) => severity === 'fault')) endWith(EXIT.findings)
      })
    })
}

/** Without an issuer everything is looked at that is the log's own. */
function issuerOrNone(issuer: () => string): string | undefined {
  try {
    return issuer()
  } catch {
    return undefined
  }
}
