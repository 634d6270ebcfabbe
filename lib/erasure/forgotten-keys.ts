import type { AccountKeyRecord } from '../log/account-key-table.ts'
import type { Commit, Meta, NewEvent } from '../log/commit.ts'
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
  const destroyed = new Set<string>()
  const end = await store.end() // what is told below is not looked at again
  for (let from = 1; from <= end && !signal?.aborted; ) {
    const page = await store.read(ALL_FORGOTTEN, { from, limit: PAGE })
    const told = new Map(page.flatMap((commit) => forgottenKeys(commit).map((id) => [id, commit] as const)))
    for (const record of await keysThatAreBack(store, [...told.keys()])) {
      if (!dryRun) await destroyOne(store, told.get(record.id)?.meta ?? {}, record, now)
      destroyed.add(record.id)
    }
    from = page.length < PAGE ? end + 1 : (page.at(-1)?.position ?? end) + 1
  }
  return [...destroyed]
}

/** It seals nothing more, then it is destroyed, and then whoever holds it is told. */
async function destroyOne(store: EventStore, meta: Meta, { id, names }: AccountKeyRecord, now: number): Promise<void> {
  if (names.length > 0) await store.accountKeys.retire(names)
  await store.accountKeys.destroy([id], now)
  await store.append({ events: [forgottenEvent(meta.instance ?? '', id)], meta })
}
