import { keysThatAreBack } from '../erasure/forgotten-keys.ts'
import type { AccountKeyRecord } from '../log/account-key-table.ts'
import type { EventStore } from '../log/event-store.ts'
import { isFoundRightly, ownerOf } from '../secrets/account-key-owner.ts'
import type { KeyRing } from '../secrets/key-ring.ts'
import { isUnreadable } from '../secrets/unreadable.ts'
import type { Fault, FaultCode } from './fault.ts'

/** Keys that were destroyed, as the log says at these positions, and are there again. */
export async function faultsOfForgotten(store: EventStore, positions: ReadonlyMap<string, number>): Promise<Fault[]> {
  const back = await keysThatAreBack(store, [...positions.keys()])
  return back.map(({ id }) => ({
    code: 'ACCOUNT_KEY_BACK',
    position: positions.get(id) ?? 0,
    what: `the key ${id} was destroyed there, and is among the account keys again`,
  }))
}

/** What is wrong with the key of an account: found by what is not its account's, or not to be read. */
export function faultOfAccountKey(keys: KeyRing, record: AccountKeyRecord): Fault | undefined {
  // Who has lost a key of the ring, and said so, need not hear of it every day.
  if (keys.isRetired(keys.ringKeyIn(record.sealed ?? ''))) return undefined
  const fault = (code: FaultCode, what: string): Fault => ({ code, position: 0, what })
  try {
    const owner = ownerOf(keys, record)
    if (!owner || isFoundRightly(keys, record, owner)) return undefined
    return fault('ACCOUNT_KEY_MISNAMED', `the key ${record.id} is found by no name that is its account's`)
  } catch (error) {
    if (isUnreadable(error)) return fault(error.code, error.message)
    throw error
  }
}
