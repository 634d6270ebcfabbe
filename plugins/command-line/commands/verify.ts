import { type Anchor, type Fault, type VerifyReport, verifyLog } from '../../../lib/index.ts'
import { assertResumable } from '../../../lib/verify/verify-resume.ts'
import { type AnchorKeyOptions, anchorKeyOf, anchorsIn } from '../anchors.ts'
import type { Register } from '../command-context.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import { position } from '../numbers.ts'
import { counted } from '../terminal.ts'
import { VerifyState } from '../verify-state.ts'

interface Options extends AnchorKeyOptions {
  readonly after?: number
  readonly deep?: boolean
  readonly anchor?: string
  readonly state?: string
}

/** `verify`. */
export const verify: Register = (program, context) => {
  program
    .command('verify')
    .description('looks at the whole log for what must never be there; ends with 1 where it finds something')
    .option('--after <position>', 'begins behind this position', position)
    .option('--deep', 'opens what is sealed, too')
    .option(
      '--state <file>',
      'keeps how far it got: a run that was interrupted or killed goes on when it is started again',
    )
    .option('--anchor <file>', 'compares the log with anchors that were kept elsewhere, one a line')
    .option('--anchor-key <file>', 'the public key of anchors that a key pair has signed, PEM or JWK')
    .action(async ({ after, deep = false, anchor: file, state: stateFile, ...options }: Options) => {
      const { withStore, output, terminal, endWith } = context()
      if (after !== undefined && stateFile !== undefined)
        throw new UsageError('--state knows where to go on: leave --after out')
      const key = await anchorKeyOf(options, terminal)
      await withStore(async (store) => {
        const end = await store.end()
        if (after !== undefined && after > end)
          throw new UsageError(`--after ${after} is behind the end of the log, #${end}: is its end gone?`)
        const anchors = (): AsyncIterable<Anchor> | undefined =>
          file === undefined ? undefined : anchorsIn(file, store, key)
        // Before hours of work: whether they can be read at all.
        for await (const _ of anchors() ?? []) if (terminal.signal.aborted) break
        const state = stateFile === undefined ? undefined : await VerifyState.open(stateFile, terminal.clock)
        const told = (fault: Fault): void => output.result(fault, () => faultText(fault))
        if (state?.resume) {
          assertResumable(state.resume, { log: store.logId, deep, end })
          output.note(`goes on behind #${state.resume.at}, where the run before has got to`)
          for await (const fault of state.faults()) told(fault)
        }
        let unusable: unknown
        // What was found in hours of work is told, whatever has become of the file meanwhile.
        const compared = async function* (): AsyncGenerator<Anchor, void> {
          try {
            yield* anchors() ?? []
          } catch (error) {
            unusable = error
          }
        }
        const report = await verifyLog(
          { store, clock: terminal.clock },
          {
            deep,
            signal: terminal.signal,
            ...(after !== undefined && { after }),
            ...(state?.resume && { resume: state.resume }),
            anchors: compared(),
            onFault: (fault) => {
              state?.found(fault)
              told(fault)
            },
            onProgress: ({ at, end, faults, resume }) => {
              state?.reached(resume)
              output.progress(`${at} of ${end}, ${counted(faults, 'fault')}`)
            },
          },
        )
        if (report.resume) state?.write(report.resume)
        else if (!unusable) await state?.remove()
        output.result(report, () => reportText(report, state !== undefined))
        if (unusable) throw unusable
        if (report.resume) endWith(EXIT.refused) // interrupted
        if (report.faults > 0) endWith(EXIT.findings)
      })
    })
}

function faultText({ code, position: at, what }: Fault): string {
  return `#${at}  ${code}  ${what}`
}

function reportText(
  { at, end, floor, commits, tombstones, faults, anchors, resume }: VerifyReport,
  isKept: boolean,
): string {
  const goOn = isKept ? 'started again it goes on' : `go on with --after ${at}`
  const whole = resume ? `up to #${at} of #${end}: ${goOn}` : `up to its end, #${end}`
  const compared = anchors === 0 ? '' : ` ${counted(anchors, 'anchor was', 'anchors were')} compared.`
  return `${faults === 0 ? 'No fault' : counted(faults, 'fault')} in ${counted(commits, 'commit')} and ${counted(tombstones, 'closed position')}, ${whole}.${compared} What lies at or below #${floor} may have been removed by retention.`
}
