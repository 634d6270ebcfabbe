import { type Fault, systemClock, type VerifyReport, verifyLog } from '../../../lib/index.ts'
import type { Register } from '../command-context.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import { position } from '../numbers.ts'

/** `verify`. */
export const verify: Register = (program, context) => {
  program
    .command('verify')
    .description('looks at the whole log for what must never be there; ends with 1 where it finds something')
    .option('--after <position>', 'begins behind this position: where a run before got to', position, 0)
    .option('--deep', 'opens what is sealed, too')
    .action(({ after, deep = false }: { readonly after: number; readonly deep?: boolean }) => {
      const { withStore, output, terminal, endWith } = context()
      return withStore(async (store) => {
        const end = await store.end()
        if (after > end)
          throw new UsageError(`--after ${after} is behind the end of the log, #${end}: is its end gone?`)
        const report = await verifyLog(
          { store, clock: systemClock },
          {
            after,
            deep,
            signal: terminal.signal,
            onFault: (fault) => output.result(fault, () => faultText(fault)),
            onProgress: ({ at, end, faults }) => output.progress(`${at} of ${end}, ${faults} faults`),
          },
        )
        output.result(report, () => reportText(report))
        if (report.at < report.end) endWith(EXIT.refused) // interrupted
        if (report.faults > 0) endWith(EXIT.findings)
      })
    })
}

function faultText({ code, position: at, what }: Fault): string {
  return `#${at}  ${code}  ${what}`
}

function reportText({ at, end, floor, commits, tombstones, faults }: VerifyReport): string {
  const whole = at < end ? `up to #${at} of #${end}: go on with --after ${at}` : `up to its end, #${end}`
  return `${faults === 0 ? 'No fault' : `${faults} faults`} in ${commits} commits and ${tombstones} closed positions, ${whole}. What lies at or below #${floor} may have been removed by retention.`
}
