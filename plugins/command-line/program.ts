import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { EventStoreError } from '../../lib/index.ts'
import { printable, printableJson } from '../../lib/printable.ts'
import { type CommandContext, commandContext, type GlobalOptions, type Register } from './command-context.ts'
import { anchor } from './commands/anchor.ts'
import { checkpoints } from './commands/checkpoints.ts'
import { doctor } from './commands/doctor.ts'
import { explain } from './commands/explain.ts'
import { features } from './commands/features.ts'
import { forget } from './commands/forget.ts'
import { keys } from './commands/keys.ts'
import { logouts } from './commands/logouts.ts'
import { moving } from './commands/moving.ts'
import { prepare } from './commands/prepare.ts'
import { rekey } from './commands/rekey.ts'
import { retention } from './commands/retention.ts'
import { sessions } from './commands/sessions.ts'
import { status } from './commands/status.ts'
import { verify } from './commands/verify.ts'
import { dashedIdsLast } from './dashed-ids.ts'
import { EXIT, type ExitCode, exitCodeOf, Interrupted } from './exit-codes.ts'
import type { Terminal } from './terminal.ts'

const COMMANDS: readonly Register[] = [
  status,
  doctor,
  explain,
  verify,
  anchor,
  sessions,
  logouts,
  features,
  checkpoints,
  retention,
  prepare,
  moving,
  keys,
  rekey,
  forget,
]

const { version: VERSION } = createRequire(import.meta.url)('oidc-provider-eventstore/package.json') as {
  readonly version: string
}

const FOOTER = `
The store and its keys are named by options or by the environment:
  EVENTSTORE_STORE       mongodb://host/database, or the folder of an embedded store
  EVENTSTORE_PREFIX      the prefix of its collections
  EVENTSTORE_KEYS        the keys, as JSON; or EVENTSTORE_KEYS_FILE, a file with them
  EVENTSTORE_ISSUER      the issuer, as the provider has it
  EVENTSTORE_ANCHOR_KEY  the key pair of anchors, as PEM or JWK; or EVENTSTORE_ANCHOR_KEY_FILE

Exit codes: 0 done; 1 done, and there is something to look at; 2 wrong use; 3 the store
cannot be reached, or did not say in time how it went; 4 refused, not confirmed, or interrupted before
it was done; 70 a fault of this program's own.`

/**
 * Runs one command.
 *
 * @param args - without the names of node and of the program
 * @returns what the process is to end with
 */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = EXIT.done
  const program = new Command('oidc-provider-eventstore')
    .description(
      'Operates the event log of an oidc-provider: looks into it, keeps it small, and orders what the OP carries out.',
    )
    .version(VERSION, '-V, --version')
    .option('--store <address>', 'mongodb://host/database, or the folder of an embedded store')
    .option('--prefix <prefix>', 'the prefix of its collections')
    .option('--keys-file <file>', 'a file with the keys, as JSON')
    .option('--issuer <url>', 'the issuer that the command is about')
    .option('--json', 'one JSON value a line, for machines')
    .addHelpText('after', FOOTER)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      outputError: (text, write) => write(args.includes('--json') ? errorLine('USAGE', text.trim()) : text),
    })
  let context: CommandContext | undefined
  const contextOf = (): CommandContext => {
    context ??= commandContext(terminal, program.opts<GlobalOptions>(), (end) => {
      code = end
    })
    return context
  }
  for (const register of COMMANDS) register(program, contextOf)
  for (const command of program.commands) inherit(command)
  try {
    await program.parseAsync(dashedIdsLast(args, program), { from: 'user' })
    return code
  } catch (cause) {
    if (cause instanceof CommanderError) return cause.exitCode === 0 ? EXIT.done : EXIT.usage
    const isInterrupted = terminal.signal.aborted && cause instanceof Error && cause.name === 'AbortError'
    const error = isInterrupted ? new Interrupted({ cause }) : cause
    context?.output.clearProgress()
    tell(error, terminal, program.opts<GlobalOptions>().json ?? false)
    return exitCodeOf(error)
  }
}

/** Global options are taken behind a command's name, too. */
function inherit(command: Command): void {
  command.exitOverride()
  for (const child of command.commands) inherit(child)
}

/** What has no code of the store's own. */
const NAMES: Readonly<Partial<Record<ExitCode, string>>> = {
  [EXIT.usage]: 'USAGE',
  [EXIT.unavailable]: 'UNAVAILABLE',
  [EXIT.refused]: 'REFUSED',
}

function errorLine(error: string, message: string): string {
  return `${printableJson(JSON.stringify({ error, message }))}\n`
}

/** The page of an error's code. It is below node_modules, or wherever npx has put the package. */
function pageLine(error: unknown): string {
  return error instanceof EventStoreError ? `see ${error.documentation}\n` : ''
}

function tell(error: unknown, { stderr }: Terminal, isJson: boolean): void {
  const message = error instanceof Error ? error.message : String(error)
  const name = error instanceof EventStoreError ? error.code : undefined
  if (isJson) stderr.write(errorLine(name ?? NAMES[exitCodeOf(error)] ?? 'FAILED', message))
  else stderr.write(`${name ? `${name}: ` : ''}${printable(message)}\n${pageLine(error)}`)
  if (exitCodeOf(error) === EXIT.fault && error instanceof Error && !isJson)
    stderr.write(`${printable(String(error.stack))}\n`)
}
