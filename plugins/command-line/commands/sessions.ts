import {
  type KnownSession,
  LogoutOperations,
  TERMINATION_REASONS,
  type TerminationReason,
  type Whose,
} from '../../back-channel-logout/index.ts'
import type { Register } from '../command-context.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import { wholeNumber } from '../numbers.ts'
import { counted, moment } from '../terminal.ts'

interface EndOptions {
  readonly account?: string
  readonly client?: string
  readonly all?: true
  readonly actor: string
  readonly reason: string
  readonly wait?: true
  readonly dryRun?: true
  readonly yes?: true
}

/** How often it is asked whether an order was carried out, in milliseconds. */
const LOOK_MS = 1_000

/** `sessions`: lists and ends them. */
export const sessions: Register = (program, context) => {
  const command = program.command('sessions').description('live sessions, and their ends')
  command
    .command('list')
    .description('the live sessions of an account, and their logins at RPs')
    .requiredOption('--account <id>', 'the account')
    .option('--limit <number>', 'at most so many', wholeNumber)
    .action(({ account, limit }: { readonly account: string; readonly limit?: number }) => {
      const { withStore, output, issuer, terminal } = context()
      const of = issuer()
      return withStore(async (store) => {
        const operations = new LogoutOperations({ store, issuer: of })
        const options = { signal: terminal.signal, ...(limit !== undefined && { limit }) }
        const found = operations.sessions({ account }, options)
        await output.list(found, sessionText, 'The account has no live session.', limit)
      })
    })
  command
    .command('end')
    .description("orders that sessions end; the OP's processes carry it out, and tell the RPs")
    .option('--account <id>', 'all sessions of an account')
    .option('--client <id>', 'all logins at a client, and its grants; the sessions live on without it')
    .option('--all', 'all sessions of the issuer')
    .requiredOption('--actor <name>', 'who does this: a name, a ticket. Kept in the log')
    .option(
      '--reason <reason>',
      `${TERMINATION_REASONS.join(', ')}. With admin, grants with offline access live on; with the others all grants end`,
      'admin',
    )
    .option('--wait', 'until it is carried out')
    .option('--dry-run', 'orders nothing, and counts what would end')
    .option('--yes', 'without asking')
    .action(async (options: EndOptions) => {
      const { withStore, output, issuer, confirm, terminal, endWith } = context()
      const whose = whoseOf(options)
      if (!TERMINATION_REASONS.includes(options.reason as TerminationReason))
        throw new UsageError(`--reason takes ${TERMINATION_REASONS.join(', ')}`)
      const of = issuer()
      const reason = options.reason as TerminationReason
      if (options.dryRun) {
        return withStore(async (store) => {
          const operations = new LogoutOperations({ store, issuer: of })
          const report = await operations.previewTermination(whose, { reason, signal: terminal.signal })
          output.result({ dryRun: true, ...report }, () => `would end: ${countsText(report)}`)
        })
      }
      await confirm(`${nameOf(whose)} end`, options.yes)
      await withStore(async (store, { isShared }) => {
        if (options.wait && !isShared)
          throw new UsageError('--wait waits for a running OP, which cannot have the folder while this command has it')
        const operations = new LogoutOperations({ store, issuer: of })
        const { id } = await operations.terminate(whose, {
          actor: options.actor,
          reason,
        })
        output.result({ id, state: 'ordered' }, () => `ordered: ${id}. A running OP carries it out`)
        if (!options.wait) return
        while (!terminal.signal.aborted) {
          const report = await operations.termination(id)
          if (report) {
            output.result({ id, state: 'completed', ...report }, () => `completed: ${countsText(report)}`)
            if (report.failed > 0) endWith(EXIT.findings)
            return
          }
          await terminal.clock.sleep(LOOK_MS, terminal.signal)
        }
        output.note('not waited for any longer; the order stands')
        endWith(EXIT.refused)
      })
    })
}

function whoseOf({ account, client, all }: EndOptions): Whose {
  const given = [account, client, all].filter((one) => one !== undefined)
  if (given.length !== 1) throw new UsageError('say whose: one of --account, --client and --all')
  if (account !== undefined) return { kind: 'account', accountId: account }
  return client === undefined ? { kind: 'all' } : { kind: 'client', clientId: client }
}

function countsText({
  sessions: ended,
  logins,
  grants,
  failed,
}: Awaited<ReturnType<LogoutOperations['previewTermination']>>): string {
  const failures = failed > 0 ? `; ${failed} could not be ended, the OP's log says why` : ''
  return `${counted(ended, 'session')}, ${counted(logins, 'login')}, ${counted(grants, 'grant')}${failures}`
}

function nameOf(whose: Whose): string {
  if (whose.kind === 'all') return 'All sessions of the issuer'
  return whose.kind === 'account' ? 'All sessions of this account' : `All logins at the client ${whose.clientId}`
}

function sessionText({ uid, since, expiresAt, logins }: KnownSession): string {
  const until = expiresAt === undefined ? 'never expires' : `expires ${moment(expiresAt)}`
  const head = `${uid}  ${since === undefined ? '' : `since ${moment(since)}, `}${until}`
  return [head, ...logins.map(({ clientId, sid }) => `  ${clientId}  sid ${sid}`)].join('\n')
}
