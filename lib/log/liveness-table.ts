/** A holder of leases or work, and how often it has shown that it lives. */
export interface Sign {
  readonly holder: string
  readonly beat: number
}

/** What all processes on the log show each other. */
export interface Living {
  readonly signs: readonly Sign[]
  /** Raised by `notify()`: something that processes follow has changed. */
  readonly notices: number
}

/**
 * Signs of life of all processes that share the log: one place for all of them, so that showing one's own and seeing the
 * others' is one command. No method trusts a clock: a holder is dead when its beat stood still on the observer's own
 * clock.
 */
export interface LivenessTable {
  /** Shows that these live, and tells who else does. A holder that was forgotten never shows a beat that it had before. */
  beat(holders: readonly string[]): Promise<Living>
  /** Forgets a holder whose beat is still what was seen. False: it has shown another one since, or is not known. */
  forget(sign: Sign): Promise<boolean>
  /** Tells all processes, with their next beat, that something which they follow has changed. */
  notify(): Promise<void>
}
