import { randomInt } from 'node:crypto'

/** A named consumer of the log: who holds it, and how far it got. One document, so that both change together. */
export interface ConsumerRecord {
  readonly name: string
  /** Who holds the lease; absent when it was released. */
  readonly holder?: string
  /** Fencing token: raised at each take-over. What a former holder writes under an older one changes nothing. */
  readonly token: number
  /** Raised by each change: a record that others saw may be taken over only as they saw it. */
  readonly beat: number
  /** Everything up to here has been handled. */
  readonly position: number
}

/** The fencing token of a new consumer: not that of one of the same name which was removed, whose holder may wake up late. */
export function firstToken(): number {
  return randomInt(2 ** 30)
}

/**
 * Leases and checkpoints of consumers. No method trusts a clock.
 *
 * A checkpoint is never beyond the log's end: a consumer that believes to have handled what is not there yet would pass
 * over the commits that get these positions. `ensure`, `take` and `checkpoint` refuse it and change nothing.
 */
export interface ConsumerTable {
  /**
   * Makes the consumer, starting after `position`, unless it exists. Returns it as it is.
   *
   * @throws CheckpointAheadError (`CHECKPOINT_AHEAD`): the log ends before `position`, or before the checkpoint of the
   *   consumer that exists
   */
  ensure(name: string, position: number): Promise<ConsumerRecord>
  /** All consumers, by name. */
  list(): Promise<ConsumerRecord[]>
  get(name: string): Promise<ConsumerRecord | undefined>
  /**
   * Takes the lease over if the record is still as it was seen: raises the token and returns the record with the
   * checkpoint as it is now. Undefined: somebody else was faster, or the holder has moved its checkpoint.
   *
   * @throws CheckpointAheadError (`CHECKPOINT_AHEAD`): the log ends before the checkpoint
   */
  take(seen: ConsumerRecord, holder: string): Promise<ConsumerRecord | undefined>
  /**
   * Moves the checkpoint forward. False: the lease was lost, and nothing changed.
   *
   * @throws CheckpointAheadError (`CHECKPOINT_AHEAD`): the log ends before `position`
   */
  checkpoint(name: string, token: number, position: number): Promise<boolean>
  /** Gives the lease up, so that another need not wait. */
  release(name: string, token: number): Promise<void>
  /** Removes the consumer for good, if it is still as it was seen. False: it has changed, and nothing happened. */
  remove(seen: ConsumerRecord): Promise<boolean>
}
