/** A named consumer of the log: who holds it, and how far it got. One document, so that both change together. */
export interface ConsumerRecord {
  readonly name: string
  /** Who holds the lease; absent when it was released. */
  readonly holder?: string
  /** Fencing token: raised at each take-over. What a former holder writes under an older one changes nothing. */
  readonly token: number
  /** Raised by the holder as long as it lives. Others compare it, on their own clocks, with what they saw before. */
  readonly beat: number
  /** Everything up to here has been handled. */
  readonly position: number
}

/** Leases and checkpoints of consumers. No method trusts a clock. */
export interface ConsumerTable {
  /** Makes the consumer, starting after `position`, unless it exists. Returns it as it is. */
  ensure(name: string, position: number): Promise<ConsumerRecord>
  /** All consumers, by name. */
  list(): Promise<ConsumerRecord[]>
  get(name: string): Promise<ConsumerRecord | undefined>
  /**
   * Takes the lease over if nobody beat since `seen` was read: raises the token and returns the record with the
   * checkpoint as it is now. Undefined: somebody else was faster, or the holder lives.
   */
  take(seen: ConsumerRecord, holder: string): Promise<ConsumerRecord | undefined>
  /** Shows that the holder lives. False: the lease was lost. */
  beat(name: string, token: number): Promise<boolean>
  /** Moves the checkpoint forward; counts as a beat. False: the lease was lost, and nothing changed. */
  checkpoint(name: string, token: number, position: number): Promise<boolean>
  /** Gives the lease up, so that another need not wait. */
  release(name: string, token: number): Promise<void>
}
