import type { Clock } from '../clock.ts'
import { AlreadyClaimedError, ErasureUnfinishedError, OptionInvalidError } from '../errors.ts'
import { assertKnownOptions } from '../known-options.ts'
import type { EventStore } from '../log/event-store.ts'
import { signOutEvent } from '../provider/sign-outs.ts'
import type { AccountKeys } from '../secrets/account-keys.ts'
import { accountNames } from '../secrets/account-names.ts'

/** How an account is forgotten. */
export interface ForgetOptions {
  /** Who has it done: recorded. */
  readonly actor: string
  readonly signal?: AbortSignal
}

/** What came of it. */
export interface ForgetReport {
  /** Keys of the account that are destroyed. None: nothing was ever sealed with a key of its own. */
  readonly keys: number
  /** Sessions and grants that were ended before. */
  readonly ended: number
  /** When the last key was destroyed, milliseconds since 1970. */
  readonly destroyedAt?: number
}

/** What forgetting works with. */
export interface ForgetParts {
  readonly store: EventStore
  /** Of this process: it holds keys. */
  readonly accountKeys: AccountKeys
  readonly clock: Clock
  /** The provider's issuer, and those that it had before. */
  readonly issuers: readonly [string, ...string[]]
  /**
   * Ends what lives of the account, and resolves when nobody who is to be told of it needs the log for that.
   *
   * @param dryRun - only counts
   * @returns how much that was
   */
  readonly end: (dryRun: boolean) => Promise<number>
}

const OPTIONS: ReadonlySet<string> = new Set(['actor', 'signal'])

/** So often somebody may log in meanwhile. */
const MOST_PASSES = 3

/** What an application stores before the provider has started has no issuer. */
const NO_ISSUER = ''

/**
 * Destroys what an account's data is sealed with. The log stays as it is, and nobody can open in it any more what the
 * account has left. First everything of it that lives ends, and its RPs are told.
 *
 * Each step may be done twice, and what failed on the way is done by calling it again. Nothing is destroyed before the
 * last session has ended.
 *
 * @throws ErasureUnfinishedError (`ERASURE_UNFINISHED`): somebody goes on logging in; nothing was destroyed
 * @throws whatever the store throws
 */
export async function forgetAccount(
  { store, accountKeys, clock, issuers, end }: ForgetParts,
  accountId: string,
  { actor, signal }: ForgetOptions,
): Promise<ForgetReport> {
  const [issuer] = issuers
  const meta = { instance: issuer, actor }
  const names = [...issuers, NO_ISSUER].flatMap((one) => accountNames(store.keys, { issuer: one, accountId }))
  // Of somebody of whom nothing is known nothing is ordered, which would say his name.
  if ((await store.accountKeys.named(names)).length === 0 && (await end(true)) === 0) return { keys: 0, ended: 0 }
  let ended = 0
  for (let pass = 1; ; pass++) {
    signal?.throwIfAborted()
    ended += await end(false)
    // From here on the keys seal nothing more: who follows the log learns that by the sign-out.
    await store.accountKeys.retire(names)
    const signOut = signOutEvent(store, issuer, accountId, { reason: 'account_deleted', actor })
    await store.append({ events: [signOut], meta })
    if ((await end(true)) === 0) break
    if (pass === MOST_PASSES)
      throw new ErasureUnfinishedError('somebody goes on logging in to the account: see to it that nobody can')
  }
  const keys = await store.accountKeys.retire(names)
  const ids = keys.map(({ id }) => id)
  const now = clock.now()
  if (ids.length > 0) await store.accountKeys.destroy(ids, now)
  accountKeys.drop(ids)
  for (const id of ids) {
    try {
      await store.append({
        events: [{ stream: forgottenStream(issuer), type: 'account.forgotten', data: { keys: [id] } }],
        claims: [{ kind: 'once', mark: `account_forgotten:${id}` }],
        meta,
      })
    } catch (error) {
      if (!(error instanceof AlreadyClaimedError)) throw error // an earlier call has told it
    }
  }
  const destroyedAt = keys.length > 0 ? Math.max(...keys.map((key) => key.destroyedAt ?? now)) : undefined
  return { keys: ids.length, ended, ...(destroyedAt !== undefined && { destroyedAt }) }
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertForget(accountId: string, options: ForgetOptions): void {
  if (typeof accountId !== 'string' || accountId === '')
    throw new OptionInvalidError('accountId', 'must be the id of an account, as text')
  assertKnownOptions(options ?? {}, OPTIONS)
  if (typeof options?.actor !== 'string' || options.actor === '')
    throw new OptionInvalidError('actor', 'must be given: who has the account forgotten')
}

/** That accounts were forgotten, by which keys. */
export function forgottenStream(issuer: string): string {
  return `accounts_forgotten:${issuer}`
}
