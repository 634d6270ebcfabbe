import type { Entry } from './journal.ts'

/** Runs a change of state in its turn; resolves when what it wrote is durable. */
export type Change = <T>(change: (write: (entry: Entry) => void) => T) => Promise<T>

/** What the store's tables need of it. */
export interface WriteLock {
  readonly change: Change
  /** @throws StoreClosedError (`STORE_CLOSED`), StoreRefusedError (`STORE_REFUSED`) */
  assertOpen(): void
  /** The wall clock as it was when the store was made, and what has passed since by the monotonic one. */
  steadyNow(): number
}
