import type { Register } from '../command-context.ts'
import { EXIT, Interrupted, UsageError } from '../exit-codes.ts'
import { type Finding, findingsOf, type MendableFinding } from '../findings.ts'

interface Options {
  readonly fix?: boolean
  readonly dryRun?: boolean
}

/** A finding, and what has become of it. */
interface Told extends Finding {
  /** Absent: nothing here mends it. */
  readonly fix?: { readonly state: 'possible' | 'done' | 'failed'; readonly what: string }
}

/** `doctor`. */
export const doctor: Register = (program, context) => {
  program
    .command('doctor')
    .description('looks for what needs an operator, and says what to do; ends with 1 where a fault is left')
    .option('--fix', 'mends what can be mended safely, and says what it did')
    .option('--dry-run', 'with --fix: only says what it would do')
    .action(({ fix = false, dryRun = false }: Options) => {
      const { withStore, output, issuerIfNamed, terminal, endWith } = context()
      if (dryRun && !fix) throw new UsageError('--dry-run goes with --fix: without it nothing is ever changed')
      const issuer = issuerIfNamed()
      return withStore(async (store, { name }) => {
        output.note(
          `${name}: schema, indexes, server, rights and keys are as they must be, or it would not have opened.`,
        )
        const found = await findingsOf({ store, clock: terminal.clock, issuer, signal: terminal.signal })
        let needsSomebody = false
        for (const finding of found) {
          const one = fix && !dryRun ? await mended(finding, terminal.signal) : asFound(finding)
          needsSomebody ||= one.fix?.state === 'failed' || (one.severity === 'fault' && one.fix?.state !== 'done')
          output.result(one, () => textOf(one))
        }
        if (found.length === 0)
          output.note(terminal.signal.aborted ? 'Nothing was found so far.' : 'Nothing needs an operator.')
        if (issuer === undefined) output.note('Logouts were not looked at: --issuer, or EVENTSTORE_ISSUER, says whose.')
        if (terminal.signal.aborted) {
          output.note('interrupted: there may be more than was found and mended here. Run it again')
          endWith(EXIT.refused)
        }
        if (needsSomebody) endWith(EXIT.findings)
      })
    })
}

function asFound({ fix, ...finding }: MendableFinding): Told {
  return { ...finding, ...(fix && { fix: { state: 'possible', what: fix.would } }) }
}

async function mended(finding: MendableFinding, signal: AbortSignal): Promise<Told> {
  const { fix, ...rest } = finding
  if (!fix) return rest
  try {
    if (signal.aborted) throw new Interrupted()
    return { ...rest, fix: { state: 'done', what: await fix.apply() } }
  } catch (error) {
    return { ...rest, fix: { state: 'failed', what: error instanceof Error ? error.message : String(error) } }
  }
}

function textOf({ code, severity, what, todo, fix }: Told): string {
  const lines = [`${severity === 'fault' ? 'FAULT' : 'note '}  ${code}: ${what}`, todo]
  if (fix) lines.push(`${FIX[fix.state]} ${fix.what}`)
  return lines.join('\n       ')
}

const FIX = { possible: '--fix would', done: 'fixed:', failed: 'could not be fixed:' } as const
