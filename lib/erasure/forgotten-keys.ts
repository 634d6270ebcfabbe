import type { AccountKeyRecord } from '../log/account-key-table.ts'
import type { Commit } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'

/** So many commits are read with one command. */
const PAGE = 500

/** That accounts were forgotten, by which keys. */
export function forgottenStream(issuer: string): string {
  return `accounts_forgotten:${issuer}`
}

/** The event that says so. */
export const FORGOTTEN = 'account.forgotten'

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
  issuer: string,
  { now, dryRun = false, signal }: { readonly now: number; readonly dryRun?: boolean; readonly signal?: AbortSignal },
): Promise<string[]> {
  const destroyed: string[] = []
  for (let from: number | undefined = 1; from !== undefined && !signal?.aborted; ) {
    const page: readonly Commit[] = await store.read(forgottenStream(issuer), { from, limit: PAGE })
    const back = (await keysThatAreBack(store, page.flatMap(forgottenKeys))).map(({ id }) => id)
    if (back.length > 0 && !dryRun) await store.accountKeys.destroy(back, now)
    destroyed.push(...back)
    const last = page.at(-1)
    from = page.length < PAGE || !last ? undefined : last.position + 1
  }
  return destroyed
}
