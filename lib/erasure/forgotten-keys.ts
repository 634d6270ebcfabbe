import type { AccountKeyRecord } from '../log/account-key-table.ts'
import type { Commit, NewEvent } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'

/** So many commits are read with one command. */
const PAGE = 500

/** That accounts were forgotten, by which keys. */
export function forgottenStream(issuer: string): string {
  return `accounts_forgotten:${issuer}`
}

/** The same, for all issuers. */
const ALL_FORGOTTEN = 'accounts_forgotten'

const FORGOTTEN = 'account.forgotten'

/** That a key was destroyed. */
export function forgottenEvent(issuer: string, ...keys: readonly string[]): NewEvent {
  return { stream: forgottenStream(issuer), also: [ALL_FORGOTTEN], type: FORGOTTEN, data: { keys } }
}

/** The keys that were destroyed, as a commit says. */
export function forgottenKeys({ events }: Pick<Commit, 'events'>): string[] {
  return events.flatMap(({ type, data }) => (type === FORGOTTEN ? ((data['keys'] ?? []) as string[]) : []))
}

/** Those of these keys that can seal and open, though they were destroyed: somebody has put them back. */
export async function keysThatAreBack(store: EventStore, ids: readonly string[]): Promise<AccountKeyRecord[]> {
  if (ids.length === 0) return []
  return (await store.accountKeys.find(ids)).filter(({ destroyedAt, sealed }) => destroyedAt === undefined || sealed)
}

/**
 * Destroys the keys again that the log says were destroyed: a backup has brought them back, or somebody who can write to
 * the database.
 *
 * @param dryRun - only finds them
 * @returns their ids
 */
export async function destroyAgain(
  store: EventStore,
  { now, dryRun = false, signal }: { readonly now: number; readonly dryRun?: boolean; readonly signal?: AbortSignal },
): Promise<string[]> {
  const destroyed: string[] = []
  for (let from: number | undefined = 1; from !== undefined && !signal?.aborted; ) {
    const page: readonly Commit[] = await store.read(ALL_FORGOTTEN, { from, limit: PAGE })
    for (const commit of page) {
      const back = await keysThatAreBack(store, forgottenKeys(commit))
      if (!dryRun) for (const record of back) await destroyOne(store, commit, record, now)
      destroyed.push(...back.map(({ id }) => id))
    }
    const last = page.at(-1)
    from = page.length < PAGE || !last ? undefined : last.position + 1
  }
  return destroyed
}

/** It seals nothing more, then it is destroyed, and then whoever holds it is told. */
async function destroyOne(
  store: EventStore,
  { meta }: Commit,
  { id, names }: AccountKeyRecord,
  now: number,
): Promise<void> {
  if (names.length > 0) await store.accountKeys.retire(names)
  await store.accountKeys.destroy([id], now)
  await store.append({ events: [forgottenEvent(meta.instance ?? '', id)], meta })
}
