/**
 * Every error that a caller may meet, one class each, each with a stable `code`. The message says what was wrong and
 * what to do; `cause` keeps what lies beneath.
 */
export type ErrorCode =
  | 'OPTION_INVALID'
  | 'CONCURRENCY'
  | 'ALREADY_CLAIMED'
  | 'OUTCOME_UNKNOWN'
  | 'COMMIT_TOO_LARGE'
  | 'COMMIT_INVALID'
  | 'STORE_CLOSED'
  | 'STORE_UNAVAILABLE'
  | 'STORE_REFUSED'
  | 'SERVER_UNFIT'
  | 'COLLECTION_UNFIT'
  | 'SCHEMA_NEWER'
  | 'EVENT_TYPE_UNKNOWN'
  | 'KEYS_INVALID'
  | 'KEY_UNKNOWN'
  | 'SEAL_BROKEN'
  | 'JOURNAL_CORRUPT'
  | 'FOLDER_HELD'
  | 'LEASE_LOST'
  | 'CHECKPOINT_AHEAD'
  | 'CONSUMER_STOPPED'
  | 'PROVIDER_UNFIT'
  | 'SESSION_CHANGED'
  | 'TERMINATION_UNFINISHED'
  | 'NOT_A_DEAD_LETTER'
  | 'LAYOUT_UNKNOWN'
  | 'TARGET_IN_USE'
  | 'LOG_FORGED'
  | 'RETENTION_BUSY'
  | 'ERASURE_UNFINISHED'
  | 'ACCOUNT_KEY_MISNAMED'
  | 'ANCHOR_INVALID'
  | 'RESUME_UNFIT'
  | 'CONSUMER_LIVES'

/** Where the pages of the codes are: in the package, as long as the site has no address (`homepage` of package.json). */
const PAGES = 'oidc-provider-eventstore/docs/errors'

/** Base of all errors of this package: catch it to catch them all, look at `code` to tell them apart. */
export abstract class EventStoreError extends Error {
  readonly code: ErrorCode
  /**
   * The page of the code: how it comes, and what to do. A file of the installed package, below `node_modules`. Whoever
   * prints or logs the error sees it beside `code`.
   */
  readonly documentation: string
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.documentation = `${PAGES}/${code}.md`
  }
  override get name(): string {
    return this.constructor.name
  }
}

/** An option is unknown, missing or of the wrong kind. Thrown before anything else happens. */
export class OptionInvalidError extends EventStoreError {
  declare readonly code: 'OPTION_INVALID'
  /** The option's name, as the caller wrote it. */
  readonly option: string
  constructor(option: string, expectation: string) {
    super('OPTION_INVALID', `option \`${option}\` ${expectation}`)
    this.option = option
  }
}

/** Another commit followed the state that this one expected: read again, decide again, append again. */
export class ConcurrencyError extends EventStoreError {
  declare readonly code: 'CONCURRENCY'
  readonly stream: string
  constructor(stream: string) {
    super('CONCURRENCY', `${stream} has changed since it was read: read it again and decide anew`)
    this.stream = stream
  }
}

/** A once-only mark is held by an earlier commit: what it stands for was done already. */
export class AlreadyClaimedError extends EventStoreError {
  declare readonly code: 'ALREADY_CLAIMED'
  readonly mark: string
  constructor(mark: string) {
    super('ALREADY_CLAIMED', `${mark} was claimed by an earlier commit: it can be used only once`)
    this.mark = mark
  }
}

/** Nobody could tell in time whether the commit was stored. It may have been: read before you repeat it. */
export class OutcomeUnknownError extends EventStoreError {
  declare readonly code: 'OUTCOME_UNKNOWN'
  constructor(why: string, options?: ErrorOptions) {
    super(
      'OUTCOME_UNKNOWN',
      `the outcome of the commit is unknown (${why}): read the streams before you append it again`,
      options,
    )
  }
}

/** The commit is larger than a store takes. */
export class CommitTooLargeError extends EventStoreError {
  declare readonly code: 'COMMIT_TOO_LARGE'
  constructor(bytes: number, limit: number) {
    super('COMMIT_TOO_LARGE', `the commit has ${bytes} bytes, ${limit} are allowed: split it or store less`)
  }
}

/** The commit cannot be stored as it is: nothing in it, or data that JSON cannot hold. */
export class CommitInvalidError extends EventStoreError {
  declare readonly code: 'COMMIT_INVALID'
  constructor(message: string, options?: ErrorOptions) {
    super('COMMIT_INVALID', message, options)
  }
}

/** The store was closed; open it again to go on. */
export class StoreClosedError extends EventStoreError {
  declare readonly code: 'STORE_CLOSED'
  constructor() {
    super('STORE_CLOSED', 'the store is closed: open it again to go on')
  }
}

/** The store cannot be reached now, or its disk is full. Nothing was stored; the same call may succeed later. */
export class StoreUnavailableError extends EventStoreError {
  declare readonly code: 'STORE_UNAVAILABLE'
  constructor(message: string, options?: ErrorOptions) {
    super('STORE_UNAVAILABLE', message, options)
  }
}

/** The store answered, and its answer will not change by asking again: rights, validation, a failed disk. */
export class StoreRefusedError extends EventStoreError {
  declare readonly code: 'STORE_REFUSED'
  constructor(message: string, options?: ErrorOptions) {
    super('STORE_REFUSED', message, options)
  }
}

/** The database server lacks something that the log's correctness stands on. */
export class ServerUnfitError extends EventStoreError {
  declare readonly code: 'SERVER_UNFIT'
  constructor(message: string, options?: ErrorOptions) {
    super('SERVER_UNFIT', message, options)
  }
}

/** A collection of the name that the log would use is there, and the log cannot use it, or it is somebody else's. */
export class CollectionUnfitError extends EventStoreError {
  declare readonly code: 'COLLECTION_UNFIT'
  /** `database.collection` */
  readonly collection: string
  constructor(collection: string, what: string, options?: ErrorOptions) {
    super(
      'COLLECTION_UNFIT',
      `${collection} ${what}: change that, open the log with another \`prefix\`, or in a database of its own`,
      options,
    )
    this.collection = collection
  }
}

/** Stored by a newer version of this package. */
export class SchemaNewerError extends EventStoreError {
  declare readonly code: 'SCHEMA_NEWER'
  constructor(what: string, found: number, known: number) {
    super(
      'SCHEMA_NEWER',
      `${what} has schema version ${found}, this version of oidc-provider-eventstore knows ${known}: upgrade the package`,
    )
  }
}

/** A stream that this package must understand holds an event that it does not know. */
export class EventTypeUnknownError extends EventStoreError {
  declare readonly code: 'EVENT_TYPE_UNKNOWN'
  constructor(stream: string, type: string) {
    super(
      'EVENT_TYPE_UNKNOWN',
      `${stream} holds an event of type "${type}" that this version does not know: upgrade the package`,
    )
  }
}

/** `keys` is missing or a key in it is unusable. */
export class KeysInvalidError extends EventStoreError {
  declare readonly code: 'KEYS_INVALID'
  constructor(what: string) {
    super(
      'KEYS_INVALID',
      `${what}. A key is { id, secret } with 32 random bytes as base64url; make one with: ` +
        `node -e "console.log(crypto.randomBytes(32).toString('base64url'))"`,
    )
  }
}

/** Stored data needs a key that is not configured. */
export class KeyUnknownError extends EventStoreError {
  declare readonly code: 'KEY_UNKNOWN'
  /** The id of the sealing key that is missing, where it is one. */
  readonly keyId: string | undefined
  constructor(message: string, options: ErrorOptions & { readonly keyId?: string } = {}) {
    super('KEY_UNKNOWN', message, options)
    this.keyId = options.keyId
  }
}

/** Sealed data does not open under its key: it was changed, or moved from another stream. */
export class SealBrokenError extends EventStoreError {
  declare readonly code: 'SEAL_BROKEN'
  constructor(stream: string, options?: ErrorOptions) {
    super(
      'SEAL_BROKEN',
      `sealed data of ${stream} does not open: the secret under its key id is not the one it was sealed with, ` +
        'or it was altered, or belongs to another stream',
      options,
    )
  }
}

/** The journal of the embedded store is damaged before its end. */
export class JournalCorruptError extends EventStoreError {
  declare readonly code: 'JOURNAL_CORRUPT'
  constructor(message: string, options?: ErrorOptions) {
    super('JOURNAL_CORRUPT', message, options)
  }
}

/** The folder of the embedded store is open already, in another process or in this one. */
export class FolderHeldError extends EventStoreError {
  declare readonly code: 'FOLDER_HELD'
  constructor(folder: string) {
    super(
      'FOLDER_HELD',
      `${folder} is in use, by another process or by this one: stop or close that, or use a folder of its own`,
    )
  }
}

/** Another process has taken the lease over; what this one still held counts no more. */
export class LeaseLostError extends EventStoreError {
  declare readonly code: 'LEASE_LOST'
  constructor(name: string) {
    super('LEASE_LOST', `the lease of ${name} was taken over by another process`)
  }
}

/**
 * A consumer's checkpoint is beyond the end of the log: what is appended from now on up to there would be taken for
 * handled. The log was restored from an older copy than its consumers, or the position belongs to another log.
 */
export class CheckpointAheadError extends EventStoreError {
  declare readonly code: 'CHECKPOINT_AHEAD'
  readonly consumer: string
  readonly position: number
  /** Where the log ends. */
  readonly end: number
  constructor(consumer: string, position: number, end: number) {
    super(
      'CHECKPOINT_AHEAD',
      `the checkpoint of consumer ${consumer} is ${position}, the log ends at ${end}: restore the log and its consumers ` +
        'from the same copy, or set the checkpoint to the position up to which the consumer has handled this log',
    )
    this.consumer = consumer
    this.position = position
    this.end = end
  }
}

/** A consumer gave up on a commit after several failures, as its policy says. */
export class ConsumerStoppedError extends EventStoreError {
  declare readonly code: 'CONSUMER_STOPPED'
  constructor(name: string, position: number, options?: ErrorOptions) {
    super(
      'CONSUMER_STOPPED',
      `consumer ${name} stopped at position ${position}: its handler failed again and again`,
      options,
    )
  }
}

/** The provider handed in is not one that this package can work with. */
export class ProviderUnfitError extends EventStoreError {
  declare readonly code: 'PROVIDER_UNFIT'
  constructor(message: string, options?: ErrorOptions) {
    super('PROVIDER_UNFIT', message, options)
  }
}

/** The session that a request works on has changed in a way that cannot be reconciled: the request must be repeated. */
export class SessionChangedError extends EventStoreError {
  declare readonly code: 'SESSION_CHANGED'
  constructor(why: string) {
    super('SESSION_CHANGED', `the session changed while the request was in flight (${why}): repeat the request`)
  }
}

/** A delivery was to be replayed that is no dead letter: only what nobody tries any more can be sent again. */
export class NotADeadLetterError extends EventStoreError {
  declare readonly code: 'NOT_A_DEAD_LETTER'
  readonly delivery: string
  /** How it stands instead: `pending`, `confirmed`, `superseded`; `unknown`: this issuer owes nothing of that name. */
  readonly state: string
  constructor(delivery: string, state: string) {
    super('NOT_A_DEAD_LETTER', `delivery ${delivery} is no dead letter (${state}): read the receipt of its session`)
    this.delivery = delivery
    this.state = state
  }
}

/** This process stopped before all sessions of a termination had ended. It goes on in others, or with the next start. */
export class TerminationUnfinishedError extends EventStoreError {
  declare readonly code: 'TERMINATION_UNFINISHED'
  /** Names it in `terminations()`. */
  readonly id: string
  constructor(id: string) {
    super(
      'TERMINATION_UNFINISHED',
      `termination ${id} was not completed by this process, which stops: another process goes on with it, or the next ` +
        'one that starts; terminations() tells how it stands',
    )
    this.id = id
  }
}

/** A database does not hold what oidc-provider stores, or not where the layout says, or in more than one way. */
export class LayoutUnknownError extends EventStoreError {
  declare readonly code: 'LAYOUT_UNKNOWN'
  constructor(message: string, options?: ErrorOptions) {
    super('LAYOUT_UNKNOWN', message, options)
  }
}

/** An export would write to a collection that holds something else: two states of one OP must not be mixed. */
export class TargetInUseError extends EventStoreError {
  declare readonly code: 'TARGET_IN_USE'
  /** `database.collection` */
  readonly collection: string
  constructor(collection: string) {
    super('TARGET_IN_USE', `${collection} holds documents that no export has written: export to an empty database`)
    this.collection = collection
  }
}

/**
 * The database holds something that no process with this OP's keys has stored: somebody has forged, altered or moved it.
 * It is not used. Find out who writes to the database, and restore it from a backup.
 */
export class LogForgedError extends EventStoreError {
  declare readonly code: 'LOG_FORGED'
  constructor(what: string, options?: ErrorOptions) {
    super(
      'LOG_FORGED',
      `${what}: somebody else has written to the database. See verify(), and restore it from a backup`,
      options,
    )
  }
}

/** An account could not be forgotten yet. */
export class ErasureUnfinishedError extends EventStoreError {
  declare readonly code: 'ERASURE_UNFINISHED'
  constructor(why: string) {
    super('ERASURE_UNFINISHED', `the account is not forgotten yet: ${why}. Call it again`)
  }
}

/** The key of an account is found by names that are not the account's. */
export class AccountKeyMisnamedError extends EventStoreError {
  declare readonly code: 'ACCOUNT_KEY_MISNAMED'
  constructor(id: string) {
    super(
      'ACCOUNT_KEY_MISNAMED',
      `the key ${id} is not found by the names of its account, or by those of another one: somebody else has written to the database, or a hashing key was taken out too early. It was not destroyed; run rekey(), which has each key found by its own account again, and then this once more`,
    )
  }
}

/** Another process is removing what is not needed any more: only one does at a time. */
export class RetentionBusyError extends EventStoreError {
  declare readonly code: 'RETENTION_BUSY'
  constructor() {
    super(
      'RETENTION_BUSY',
      'another process is at it: wait until it is done, or see retention.status(); a dry run needs no turn',
    )
  }
}

/** An anchor cannot be read, or nobody whose key is known here has signed it: it says nothing of the log. */
export class AnchorInvalidError extends EventStoreError {
  declare readonly code: 'ANCHOR_INVALID'
  readonly why: string
  constructor(why: string, options?: ErrorOptions) {
    super('ANCHOR_INVALID', `the anchor cannot be used: ${why}`, options)
    this.why = why
  }
}

/** A run of `verifyLog()` cannot go on from here: begin a new one, without `resume`. */
export class ResumeUnfitError extends EventStoreError {
  declare readonly code: 'RESUME_UNFIT'
  constructor(what: string) {
    super('RESUME_UNFIT', `the run cannot go on: ${what}. Begin a new one`)
  }
}

/** The consumer shows that it lives: it must not be removed. Stop the processes that run it. */
export class ConsumerLivesError extends EventStoreError {
  declare readonly code: 'CONSUMER_LIVES'
  readonly consumer: string
  constructor(consumer: string) {
    super(
      'CONSUMER_LIVES',
      `the consumer ${consumer} lives: stop the processes that run it, or wait until their lease is over`,
    )
    this.consumer = consumer
  }
}
