import { assertForget, forgetAccount } from '../../../lib/erasure/forget.ts'
import { AccountKeys } from '../../../lib/index.ts'
import { accountNames } from '../../../lib/secrets/account-names.ts'
import { LogoutOperations } from '../../back-channel-logout/index.ts'
import type { Register } from '../command-context.ts'
import { assertIssuer } from '../connection.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import { seconds } from '../numbers.ts'
import { counted, moment } from '../terminal.ts'

interface Options {
  readonly actor: string
  readonly formerIssuer?: readonly string[]
  readonly logout: boolean
  readonly settle?: number
  readonly dryRun?: true
  readonly yes?: true
}

/** `forget`: destroys what an account's data is sealed with. */
export const forget: Register = (program, context) => {
  program
    .command('forget')
    .description('forgets an account for good: ends its sessions, then destroys the key that its data is sealed with')
    .argument('<account>', 'the account id, as the provider knows it; see to it first that nobody can log in to it')
    .requiredOption('--actor <name>', 'who does this: a name, a ticket. Kept in the log')
    .option('--former-issuer <url...>', 'issuers that the provider had before')
    .option('--no-logout', 'ends no session and tells no RP: for an OP without back-channel logout')
    .option(
      '--settle <seconds>',
      'waits so long for requests under way, and destroys what they stored; default 15',
      seconds,
    )
    .option('--dry-run', 'destroys nothing, and counts what would end and be destroyed')
    .option('--yes', 'without asking')
    .action(async (account: string, { actor, formerIssuer = [], logout, settle, dryRun, yes }: Options) => {
      const { withStore, output, issuer, confirm, terminal, endWith } = context()
      assertForget(account, { actor })
      for (const former of formerIssuer) assertIssuer(former)
      const issuers = [issuer(), ...formerIssuer] as const
      if (dryRun) {
        return withStore(async (store) => {
          const { clock, signal } = terminal
          const operations = new LogoutOperations({ store, issuer: issuers[0], formerIssuers: formerIssuer, clock })
          const ends = logout ? await operations.endAccount(account, { actor, dryRun, signal }) : 0
          // As forgetAccount() finds them: what was stored before the provider has started has no issuer.
          const names = [...issuers, ''].flatMap((one) => accountNames(store.keys, { issuer: one, accountId: account }))
          const found = await store.accountKeys.named(names)
          const keys = found.filter(({ destroyedAt }) => destroyedAt === undefined).length
          output.result({ dryRun, ends, keys }, () => {
            const ended = logout ? `${counted(ends, 'session or grant', 'sessions and grants')} would end; ` : ''
            return `${ended}${counted(keys, 'key')} of it would be destroyed`
          })
        })
      }
      await confirm(`Nobody will be able to open what is stored of ${account} at ${issuers[0]}`, yes)
      await withStore(async (store, { isShared }) => {
        if (logout && !isShared)
          throw new UsageError(
            'RPs are told by a running OP, which cannot have the folder while this command has it: call forget() there, or give --no-logout',
          )
        const { clock, signal } = terminal
        const operations = new LogoutOperations({ store, issuer: issuers[0], formerIssuers: formerIssuer, clock })
        const report = await forgetAccount(
          {
            store,
            accountKeys: new AccountKeys(store, clock),
            clock,
            issuers,
            end: async (dryRun) => {
              if (!logout) return 0
              if (!dryRun) output.progress('its sessions and grants end, and then requests that are under way')
              return operations.endAccount(account, { actor, dryRun, signal })
            },
          },
          account,
          { actor, signal, ...(settle !== undefined && { settleMs: settle * 1_000 }) },
        )
        output.result(report, () => {
          if (report.destroyedAt === undefined) return 'nothing is stored of an account with this id'
          const ended = logout ? `${counted(report.ended, 'session or grant', 'sessions and grants')} ended; ` : ''
          return `${ended}${counted(report.keys, 'key of it is', 'keys of it are')} destroyed, since ${moment(report.destroyedAt)}`
        })
        if (signal.aborted && report.keys > 0) {
          output.note('interrupted before requests that were under way had ended: forget it again')
          endWith(EXIT.refused)
        }
      })
    })
}
