import type { Clock } from '../clock.ts'
import { AccountKeyMisnamedError, AlreadyClaimedError, ErasureUnfinishedError, OptionInvalidError } from '../errors.ts'
import { assertKnownOptions } from '../known-options.ts'
import type { AccountKeyRecord } from '../log/account-key-table.ts'
import type { EventStore } from '../log/event-store.ts'
import { signOutEvent } from '../provider/sign-outs.ts'
import { isSame, ownerIfReadable, ownerOf } from '../secrets/account-key-owner.ts'
import type { AccountKeys } from '../secrets/account-keys.ts'
import { type Account, accountNames } from '../secrets/account-names.ts'
import { dataKeyIn, type KeyRing } from '../secrets/key-ring.ts'
import { isUnreadable } from '../secrets/unreadable.ts'
import { forgottenEvent } from './forgotten-keys.ts'

/** How an account is forgotten. */
export interface ForgetOptions {
  /** Who has it done: recorded. */
  readonly actor: string
  readonly signal?: AbortSignal
  /**
   * So long requests that were under way may store something of the account, which is destroyed as well, in milliseconds.
   * Default: 15,000. With 0 nothing is waited for: forget the account again later.
   */
  readonly settleMs?: number
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

const OPTIONS: ReadonlySet<string> = new Set(['actor', 'signal', 'settleMs'])

/** No request is answered later, unless the application makes it wait. */
const SETTLE_MS = 15_000

/** So often somebody may log in meanwhile. */
const MOST_PASSES = 3

/** What an application stores before the provider has started has no issuer. */
const NO_ISSUER = ''

/**
 * Destroys what an account's data is sealed with. The log stays as it is, and nobody can open in it any more what the
 * account has left. First everything of it that lives ends, and its RPs are told. Then requests that were under way may
 * end, and what they have stored goes as well.
 *
 * Each step may be done twice, and what failed on the way is done by calling it again. Nothing is destroyed before the
 * last session has ended.
 *
 * @throws ErasureUnfinishedError (`ERASURE_UNFINISHED`): somebody goes on logging in
 * @throws AccountKeyMisnamedError (`ACCOUNT_KEY_MISNAMED`)
 * @throws whatever the store throws
 */
export async function forgetAccount(
  parts: ForgetParts,
  accountId: string,
  { actor, signal, settleMs = SETTLE_MS }: ForgetOptions,
): Promise<ForgetReport> {
  const { store, issuers, end } = parts
  const [issuer] = issuers
  const accounts = [...issuers, NO_ISSUER].map((one): Account => ({ issuer: one, accountId }))
  const names = accounts.flatMap((account) => accountNames(store.keys, account))
  const named = await store.accountKeys.named(names)
  assertOf(accounts, store.keys, named)
  if (named.length === 0) await assertNothingSealed(store, accountId, accounts)
  // Of somebody of whom nothing is known nothing is ordered, which would say his name.
  if (named.length === 0 && (await end(true)) === 0) return { keys: 0, ended: 0 }
  let ended = 0
  for (let pass = 1; pass <= MOST_PASSES; pass++) {
    signal?.throwIfAborted()
    ended += await end(false)
    // From here on the keys seal nothing more: who follows the log learns that by the sign-out.
    await store.accountKeys.retire(names)
    const signOut = signOutEvent(store, issuer, accountId, { reason: 'account_deleted', actor }, true)
    await store.append({ events: [signOut], meta: { instance: issuer, actor } })
    if ((await end(true)) > 0) continue
    const keys = await store.accountKeys.retire(names)
    assertOf(accounts, store.keys, keys)
    await destroy(parts, keys, { instance: issuer, actor })
    await settle(parts, await store.accountKeys.named(names), settleMs, signal)
    const now = await store.accountKeys.named(names)
    if (now.every(({ destroyedAt }) => destroyedAt !== undefined)) return reportOf(now, ended)
  }
  throw new ErasureUnfinishedError('somebody goes on logging in to the account: see to it that nobody can')
}

/** Until requests have ended that were under way when the last key was destroyed; by an earlier call, it may be. */
async function settle(
  { clock }: ForgetParts,
  keys: readonly AccountKeyRecord[],
  settleMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const last = Math.max(0, ...keys.map(({ destroyedAt = 0 }) => destroyedAt))
  const leftMs = Math.min(settleMs, last + settleMs - clock.now())
  if (leftMs > 0) await clock.sleep(leftMs, signal)
}

/** @throws AccountKeyMisnamedError */
function assertOf(accounts: readonly Account[], ring: KeyRing, keys: readonly AccountKeyRecord[]): void {
  for (const key of keys) {
    const owner = ownerIfOpened(ring, key)
    if (owner && !accounts.some((account) => isSame(account, owner))) throw new AccountKeyMisnamedError(key.id)
  }
}

/** Undefined: the key cannot be opened any more, so that nothing is lost with it. @throws AccountKeyMisnamedError */
function ownerIfOpened(ring: KeyRing, key: AccountKeyRecord): Account | undefined {
  try {
    if (key.sealed !== undefined) ring.openDataKey(key.id, key.sealed)
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
  try {
    return ownerOf(ring, key)
  } catch (error) {
    // Somebody has changed who that is.
    throw isUnreadable(error) ? new AccountKeyMisnamedError(key.id) : error
  }
}

/**
 * That the newest that is stored of the account is sealed with no key that is there: no name finds one.
 *
 * @throws AccountKeyMisnamedError
 */
async function assertNothingSealed(store: EventStore, accountId: string, accounts: readonly Account[]): Promise<void> {
  const streams = store.keys.streams('account', accountId)
  const [newest] = await store.readStreams(streams, { direction: 'backwards', limit: 1 })
  const texts = (newest?.events ?? []).flatMap(({ data }) => Object.values(data))
  const ids = texts.flatMap((text) => (typeof text === 'string' ? (dataKeyIn(text) ?? []) : []))
  if (ids.length === 0) return
  for (const key of await store.accountKeys.find([...new Set(ids)])) {
    const owner = ownerIfReadable(store.keys, key)
    if (owner && accounts.some((account) => isSame(account, owner))) throw new AccountKeyMisnamedError(key.id)
  }
}

async function destroy(
  { store, accountKeys, clock }: ForgetParts,
  keys: readonly AccountKeyRecord[],
  meta: { readonly instance: string; readonly actor: string },
): Promise<void> {
  const ids = keys.map(({ id }) => id)
  if (ids.length > 0) await store.accountKeys.destroy(ids, clock.now())
  accountKeys.drop(ids)
  for (const id of ids) {
    try {
      await store.append({
        events: [forgottenEvent(meta.instance, id)],
        claims: [{ kind: 'once', mark: `account_forgotten:${id}` }],
        meta,
      })
    } catch (error) {
      if (!(error instanceof AlreadyClaimedError)) throw error // an earlier call has told it
    }
  }
}

function reportOf(keys: readonly AccountKeyRecord[], ended: number): ForgetReport {
  const destroyedAt = keys.map((key) => key.destroyedAt ?? 0)
  return { keys: keys.length, ended, ...(keys.length > 0 && { destroyedAt: Math.max(...destroyedAt) }) }
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertForget(accountId: string, options: ForgetOptions): void {
  if (typeof accountId !== 'string' || accountId === '')
    throw new OptionInvalidError('accountId', 'must be the id of an account, as text')
  assertKnownOptions(options ?? {}, OPTIONS)
  if (typeof options?.actor !== 'string' || options.actor === '')
    throw new OptionInvalidError('actor', 'must be given: who has the account forgotten')
  const { settleMs = 0 } = options
  if (!Number.isSafeInteger(settleMs) || settleMs < 0)
    throw new OptionInvalidError('settleMs', 'must be a number of milliseconds, 0 or more')
}
