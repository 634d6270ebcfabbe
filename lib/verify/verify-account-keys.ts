import { keysThatAreBack } from '../erasure/forgotten-keys.ts'
import { KeyUnknownError, SealBrokenError } from '../errors.ts'
import type { EventStore } from '../log/event-store.ts'
import { isFoundRightly, ownerOf } from '../secrets/account-key-owner.ts'
import type { Fault } from './fault.ts'

/** So many keys are looked at with one command. */
const PAGE = 500

/** Keys that were destroyed, as the log says at these positions, and are there again. */
export async function faultsOfForgotten(store: EventStore, positions: ReadonlyMap<string, number>): Promise<Fault[]> {
  const back = await keysThatAreBack(store, [...positions.keys()])
  return back.map(({ id }) => ({
    code: 'ACCOUNT_KEY_BACK',
    position: positions.get(id) ?? 0,
    what: `the key ${id} was destroyed there, and is among the account keys again`,
  }))
}

/** Keys that are not found by what is their account's, or cannot be opened: each with one fault. */
export async function* faultsOfAccountKeys(store: EventStore, signal: AbortSignal | undefined): AsyncGenerator<Fault> {
  for (let after: string | undefined; !signal?.aborted; ) {
    const page = await store.accountKeys.list({ limit: PAGE, ...(after !== undefined && { after }) })
    for (const record of page) {
      try {
        const owner = ownerOf(store.keys, record)
        if (!owner || isFoundRightly(store.keys, record, owner)) continue
        const what = `the key ${record.id} is found by no name that is its account's, as far as the configured hashing keys tell`
        yield { code: 'ACCOUNT_KEY_MISNAMED', position: 0, what }
      } catch (error) {
        if (error instanceof KeyUnknownError) yield { code: 'KEY_UNKNOWN', position: 0, what: error.message }
        else if (error instanceof SealBrokenError) yield { code: 'SEAL_BROKEN', position: 0, what: error.message }
        else throw error
      }
    }
    after = page.at(-1)?.id
    if (page.length < PAGE) return
  }
}
