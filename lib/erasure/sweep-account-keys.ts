import { inParallel } from '../in-parallel.ts'
import type { AccountKeyRecord } from '../log/account-key-table.ts'
import type { EventStore } from '../log/event-store.ts'
import { ownerOf } from '../secrets/account-key-owner.ts'
import { isUnreadable } from '../secrets/unreadable.ts'

/** So many are looked at with one call, and so many of them at a time. */
const MOST = 1_000
const AT_ONCE = 8

/**
 * Removes the records of keys that were not used for long, and by which nothing in the log can be sealed any more. Whose
 * log still holds something is left for as long again.
 *
 * @param unusedBefore - milliseconds since 1970: what was sealed before has gone from the log, but for what lives on
 * @param now - milliseconds since 1970
 * @returns whether there may be more: it was a part of them
 */
export async function sweepAccountKeys(store: EventStore, unusedBefore: number, now: number): Promise<boolean> {
  const unused = await store.accountKeys.unused({ before: unusedBefore, limit: MOST })
  const inUse: string[] = []
  const going: string[] = []
  await inParallel(unused, AT_ONCE, async (record) => {
    ;((await isInLog(store, record)) ? inUse : going).push(record.id)
  })
  await store.accountKeys.touch(inUse, now)
  if (going.length > 0) await store.accountKeys.remove(going, unusedBefore)
  return unused.length === MOST
}

/** Whether the log holds something of the account. One that cannot be told is taken to. */
async function isInLog(store: EventStore, record: AccountKeyRecord): Promise<boolean> {
  try {
    const owner = ownerOf(store.keys, record)
    if (!owner) return false
    const streams = store.keys.streams('account', owner.accountId)
    return (await store.readStreams(streams, { direction: 'backwards', limit: 1 })).length > 0
  } catch (error) {
    // Who says that a key of the ring is gone waits for nothing that it has sealed.
    if (isUnreadable(error)) return !store.keys.isRetired(store.keys.ringKeyIn(record.sealed ?? ''))
    throw error
  }
}
