/** What may be wrong with a log. */
export type FaultCode =
  /** A position above the log's beginning is neither a commit nor a tombstone: something was removed. */
  | 'POSITION_MISSING'
  /** It was in the log, retention has not removed it, and it is gone. */
  | 'COMMIT_REMOVED'
  /** Retention has removed it, and it is there again: somebody has put it back. Retention removes it again. */
  | 'COMMIT_BACK'
  /** It was not in the log when that was written down. */
  | 'COMMIT_ADDED'
  /** Other commits than those that were there when that was written down: each is genuine, and was there another time. */
  | 'COMMIT_REPLACED'
  /** What was written down of the log is not whole any more. */
  | 'CHAIN_BROKEN'
  /** Something that this OP has not stored there. */
  | 'COMMIT_FORGED'
  /** A newer version has stored it: it cannot be verified here. */
  | 'COMMIT_NEWER'
  /** The store finds it by other streams than it names. */
  | 'STREAMS_DIFFER'
  /** It has versions that it does not claim: another commit may have the same. */
  | 'CLAIM_MISSING'
  /** A version of a stream follows none. */
  | 'VERSION_MISSING'
  /** What is sealed cannot be opened, although its key is there. */
  | 'SEAL_BROKEN'
  /** A key that it is sealed with is not configured here. */
  | 'KEY_UNKNOWN'
  /** A consumer believes to have handled what is not there. */
  | 'CHECKPOINT_AHEAD'
  /** Retention has removed what is not there yet, if the database is to be believed. */
  | 'FLOOR_AHEAD'
  /** The log ends before what an anchor says that it held: it was put back to an earlier day. */
  | 'ANCHOR_AHEAD'
  /** Where an anchor says what the log held it holds something else: it was put back, and went on from there. */
  | 'ANCHOR_DIFFERS'
  /** The anchor is of another log. */
  | 'ANCHOR_FOREIGN'
  /** The key of an account that was forgotten is there again: its data can be opened. `doctor --fix` mends it. */
  | 'ACCOUNT_KEY_BACK'
  /** The key of an account is found by names that are not the account's. `rekey()` mends it. */
  | 'ACCOUNT_KEY_MISNAMED'

/** One of them. */
export interface Fault {
  readonly code: FaultCode
  /** 0: it is nowhere in the log. */
  readonly position: number
  /** What exactly; nothing secret. */
  readonly what: string
}
