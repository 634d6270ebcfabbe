import { type EventStore, systemClock } from '../../../lib/index.ts'
import { DeadLetters } from '../../back-channel-logout/dead-letters/dead-letters.ts'
import type { Replays } from '../../back-channel-logout/dead-letters/replay.ts'
import {
  type DeadLetter,
  type HistoryCriteria,
  LogoutOperations,
  type ParkedCommit,
  type PendingCount,
  type PendingDelivery,
  type Receipt,
  type ReceiptEntry,
  type ReplayTarget,
} from '../../back-channel-logout/index.ts'
import { sessionLogoutStream } from '../../back-channel-logout/recording/session-logout-events.ts'
import type { CommandContext, Register } from '../command-context.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import { wholeNumber } from '../numbers.ts'
import { counted, duration, moment } from '../terminal.ts'

interface Which {
  readonly account?: string
  readonly client?: string
  readonly since?: number
  readonly limit?: number
}

interface ReplayOptions extends Which {
  readonly delivery?: string
  readonly session?: string
  readonly actor: string
  readonly dryRun?: boolean
  readonly yes?: true
}

/** `logouts`: what RPs were told, are to be told, and were not told. */
export const logouts: Register = (program, context) => {
  const command = program.command('logouts').description('what RPs were told of sessions that ended')
  const operate = (
    work: (operations: LogoutOperations, context: CommandContext, store: EventStore) => Promise<unknown>,
  ): Promise<void> => {
    const current = context()
    const issuer = current.issuer()
    return current.withStore(async (store) => {
      await work(new LogoutOperations({ store, issuer }), current, store)
    })
  }
  command
    .command('list')
    .description('sessions that ended, and what their RPs answered')
    .option('--account <id>', 'of this account')
    .option('--client <id>', 'of this client')
    .option('--since <time>', 'ended at this time or later: 2026-11-30, or 90m, 24h, 7d ago', time)
    .option('--limit <number>', 'at most so many, the newest', wholeNumber, 50)
    .action(({ limit, ...criteria }: Which) =>
      operate((operations, { output, terminal }) =>
        output.list(
          operations.history(criteria as HistoryCriteria, {
            order: 'newest',
            signal: terminal.signal,
            ...(limit !== undefined && { limit }),
          }),
          receiptText,
          'No session has ended.',
          limit,
        ),
      ),
    )
  command
    .command('show')
    .description('the ends of one session, RP by RP; ends with 1 where an RP could not be told')
    .argument('<uid>', "the session's uid")
    .action((uid: string) => {
      if (uid === '')
        throw new UsageError(
          'which session? Its uid, as `sessions list`, `logouts list` and the log lines of the OP have it',
        )
      return operate(async (operations, { output, endWith }, store) => {
        const receipt = await operations.receipt(uid)
        // A session with a login at a client has a history, also before it ends.
        const isKnown = receipt.ends.length > 0 || (await store.latest(sessionLogoutStream(uid))) !== undefined
        output.result(receipt, () => (isKnown ? receiptText(receipt) : `${uid}  no such session is known`))
        const entries = receipt.ends.flatMap(({ relyingParties }) => relyingParties)
        if (entries.some(({ state }) => state === 'rejected' || state === 'abandoned')) endWith(EXIT.findings)
      })
    })
  command
    .command('pending')
    .description('what RPs are still to be told of: by client, or one by one')
    .option('--client <id>', 'what this client is still to get, one by one')
    .option('--limit <number>', 'at most so many', wholeNumber, 100)
    .action(({ client, limit = 100 }: Which) =>
      operate((operations, { output, terminal }) =>
        client === undefined
          ? operations
              .pendingByClient({ limit })
              .then((counts) => output.list(counts, pendingCountText, 'No RP is owed anything.', limit))
          : output.list(
              operations.pending({ client }, { limit, signal: terminal.signal }),
              pendingText,
              'The client is owed nothing.',
              limit,
            ),
      ),
    )
  command
    .command('retry')
    .description("makes what a client is owed due at once: for an RP that is back. The OP's processes send it")
    .requiredOption('--client <id>', 'the client')
    .action(({ client = '' }: Which) =>
      operate(async (operations, { output, terminal }) => {
        const { hastened } = await operations.hasten({ client }, { signal: terminal.signal })
        terminal.signal.throwIfAborted()
        output.result({ hastened }, () => counted(hastened, 'delivery is due at once', 'deliveries are due at once'))
      }),
    )
  command
    .command('dead')
    .description('dead letters: what RPs were not told, and nobody tries to tell them any more')
    .option('--client <id>', 'of this client')
    .option('--since <time>', 'became one at this time or later: 2026-11-30, or 90m, 24h, 7d ago', time)
    .option('--limit <number>', 'at most so many, the newest', wholeNumber, 50)
    .action(({ client, since, limit }: Which) =>
      operate((operations, { output, terminal }) =>
        output.list(
          operations.deadLetters({
            order: 'newest',
            signal: terminal.signal,
            ...(client !== undefined && { client }),
            ...(since !== undefined && { since }),
            ...(limit !== undefined && { limit }),
          }),
          deadLetterText,
          'There is no dead letter.',
          limit,
        ),
      ),
    )
  command
    .command('replay')
    .description("has dead letters sent again, with fresh tokens; the OP's processes send them")
    .option('--client <id>', 'those of a client')
    .option('--since <time>', 'those since a time: 2026-11-30, or 90m, 24h, 7d ago', time)
    .option('--delivery <id>', 'this one; with --session')
    .option('--session <uid>', 'the session of the delivery')
    .requiredOption('--actor <name>', 'who does this: a name, a ticket. Kept in the log')
    .option('--dry-run', 'only counts them')
    .option('--yes', 'without asking')
    .action(async ({ dryRun = false, yes, actor, ...which }: ReplayOptions) => {
      const target = targetOf(which)
      if (!dryRun) await context().confirm('Dead letters are sent again', yes)
      const current = context()
      const issuer = current.issuer()
      await current.withStore(async (store) => {
        const { output, terminal, endWith } = current
        const options = { actor, dryRun, signal: terminal.signal }
        const replays = await new DeadLetters({ store, issuer }).replay(target, options)
        output.result({ ...replays, dryRun }, () => replaysText(replays, dryRun))
        if (!terminal.signal.aborted) return
        output.note('interrupted: run it again for the rest')
        endWith(EXIT.refused)
      })
    })
  command
    .command('parked')
    .description('commits that could not be planned: their logouts are not told. Ends with 1 where there are any')
    .action(() =>
      operate(async (operations, { output, terminal, endWith }) => {
        const parked = operations.parked({ signal: terminal.signal })
        if ((await output.list(parked, parkedText, 'No commit is parked.')) > 0) endWith(EXIT.findings)
      }),
    )
}

function targetOf({ delivery, session, client, since }: Omit<ReplayOptions, 'actor'>): ReplayTarget {
  if (delivery !== undefined || session !== undefined) {
    if (delivery === undefined || session === undefined)
      throw new UsageError('one dead letter is named by both: --delivery and --session')
    if (client !== undefined || since !== undefined)
      throw new UsageError('--delivery names one dead letter: leave --client and --since out')
    return { delivery, sessionUid: session }
  }
  if (client === undefined && since === undefined)
    throw new UsageError('say which: --client, --since, or --delivery with --session')
  return { ...(client !== undefined && { client }), ...(since !== undefined && { since }) }
}

const DATE = /^\d{4}-\d{2}-\d{2}(T|$)/
const AGO = /^(\d+)\s*(m|h|d)$/
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A time, or how long ago it was. */
function time(text: string): number {
  const [, count, unit = ''] = AGO.exec(text) ?? []
  const at =
    count === undefined
      ? DATE.test(text)
        ? Date.parse(text)
        : Number.NaN
      : systemClock.now() - Number(count) * (UNITS[unit] ?? 0)
  if (!Number.isFinite(at))
    throw new UsageError(`${text} is no time: 2026-11-30, 2026-11-30T12:00Z, or 90m, 24h, 7d ago`)
  return at
}

function receiptText({ sessionUid, ends, settled }: Receipt): string {
  const lines = [`${sessionUid}  ${ends.length === 0 ? 'has not ended' : settled ? 'settled' : 'not settled'}`]
  for (const { at, reason, actor, scope, relyingParties } of ends) {
    const by = actor === undefined ? '' : `, by ${actor}`
    lines.push(`  ${moment(at)}  ${scope === 'session' ? 'the session ended' : 'logins ended'}: ${reason}${by}`)
    lines.push(...relyingParties.map(entryText))
  }
  return lines.join('\n')
}

function entryText({
  clientId,
  state,
  attempts,
  status,
  failureReason,
  nextAttemptAt,
  timeToLogoutMs,
}: ReceiptEntry): string {
  const details = [
    attemptsText(attempts),
    ...(status === undefined ? [] : [`HTTP ${status}`]),
    ...(failureReason === undefined || failureReason === `HTTP ${status}` ? [] : [failureReason]),
    ...(nextAttemptAt === undefined ? [] : [`next ${moment(nextAttemptAt)}`]),
    ...(timeToLogoutMs === undefined ? [] : [`after ${duration(timeToLogoutMs)}`]),
  ]
  return `    ${clientId}  ${state}  (${details.join(', ')})`
}

function attemptsText(attempts: number): string {
  return counted(attempts, 'attempt')
}

function replaysText({ replayed, forgotten = 0 }: Replays, dryRun: boolean): string {
  const letters = counted(replayed, 'dead letter')
  const verb = dryRun ? 'would be' : replayed === 1 ? 'is' : 'are'
  const others = counted(forgotten, 'is of an account that was', 'are of accounts that were')
  return `${letters} ${verb} sent again${forgotten === 0 ? '' : `; ${others} forgotten`}`
}

function pendingCountText({ clientId, pending, oldestEndedAt }: PendingCount): string {
  const since = oldestEndedAt === undefined ? '' : `  the oldest since ${moment(oldestEndedAt)}`
  return `${clientId}  ${pending}${since}`
}

function pendingText({ delivery, sessionUid, attempts, dueAt, inHand, error, status }: PendingDelivery): string {
  const why = error ?? (status === undefined ? '' : `HTTP ${status}`)
  return `${delivery}  session ${sessionUid}  ${inHand ? 'in hand' : `due ${moment(dueAt)}`}  ${attemptsText(attempts)} ${why}`.trimEnd()
}

function deadLetterText({
  delivery,
  sessionUid,
  clientId,
  at,
  state,
  failureReason,
  attempts,
  status,
}: DeadLetter): string {
  const http = status === undefined ? '' : `, HTTP ${status}`
  return `${moment(at)}  ${clientId}  ${state}: ${failureReason}${http}  ${attemptsText(attempts)}  --delivery ${delivery} --session ${sessionUid}`
}

function parkedText({ position, at, failureReason }: ParkedCommit): string {
  return `#${position}  ${moment(at)}  ${failureReason}`
}
