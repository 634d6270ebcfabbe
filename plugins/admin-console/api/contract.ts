/*
 * What the console's pages ask of its server, and what they are answered. All paths are below `<basePath>/api`.
 *
 * - Times are milliseconds since 1970, durations milliseconds.
 * - What GET takes is in the query, what all others take is a JSON object of at most 16 KiB. Unknown fields are refused.
 * - Errors are `ApiErrorBody`, whatever the route. 401 `NOT_SIGNED_IN`: load the page again, which leads to the sign-in.
 *   403 `ROLE_INSUFFICIENT`: a viewer asked for a change. 403 `CROSS_ORIGIN`. 404 `NOT_FOUND`. 405 `METHOD_NOT_ALLOWED`.
 *   400 `FIELD_INVALID`, `CURSOR_INVALID`, `OPTION_INVALID`. 409 `CLIENT_CHANGED`, `NOT_A_DEAD_LETTER`. 429
 *   `TOO_MANY_OPERATIONS`, `TOO_MANY_STREAMS`, `TOO_MANY_EXPORTS`. 503: the store does not answer, try again.
 * - What RPs and users say (answers, errors, ids, names of operators) is text, and never HTML.
 */
import type { Explanation, FeatureState } from 'oidc-provider-eventstore'
import type {
  BoundedCount,
  ClientSettings,
  ClientTest,
  DeadLetter,
  Health,
  LiveSession,
  LogoutStatistics,
  LogoutTimeline,
  ParkedCommit,
  ParkedOutcome,
  PausedClient,
  PendingDelivery,
  Receipt,
  ReceiptEntry,
  Replays,
  RetryProgress,
  TerminationProgress,
  TerminationReason,
  TerminationReport,
  TerminationStatus,
} from 'oidc-provider-eventstore/plugins/back-channel-logout'

/** The answer to every request that is refused or fails. `code` is for programs and stays, `message` is for people. */
export interface ApiErrorBody {
  readonly error: { readonly code: string; readonly message: string }
}

/** What an operator may do. `viewer`: look. `operator`: change. */
export type Role = 'viewer' | 'operator'

/**
 * A page of a list, the newest first unless the route says otherwise. A page may have fewer items than asked for, even
 * none, and a `next`: the server has looked at as much as one request may cost. Ask on, and show how far it is.
 */
export interface Page<T> {
  readonly items: readonly T[]
  /** Where the list goes on: `cursor` of the next request. Absent: this was the end. */
  readonly next?: string
  /** How many candidates were looked at for this page, those that the filter left out included. */
  readonly looked: number
}

/** What every list takes. */
export interface PageQuery {
  readonly cursor?: string
  /** From 1 to 200. Default: 50. */
  readonly limit?: number
}

/** `GET /me`: who is signed in, and what the pages need to know. */
export interface Me {
  readonly name: string
  readonly role: Role
  readonly issuer: string
  /** Where a form is posted to (without fields) that signs out. Absent: the application has no such place. */
  readonly signOutUrl?: string
  /** The reasons for which sessions of an account, or all, may be ended. */
  readonly reasons: readonly TerminationReason[]
  /** Names the process that answered: operations are known to the process alone that runs them. */
  readonly process: string
}

/** `GET /overview`: how it stands. */
export interface Overview {
  readonly at: number
  readonly health: Health
  /**
   * Live sessions: as the index has them, which may hold some that ended a moment ago. Counted anew once a minute. Absent: the
   * store does not answer.
   */
  readonly sessions?: BoundedCount
  /** What happened within the last 24 hours. Absent: the store does not answer. */
  readonly statistics?: LogoutStatistics
  /** Who waits longest, of the RPs with most pending deliveries. Absent: nobody waits, or it was not counted in time. */
  readonly oldestPending?: OldestPending
  readonly paused: readonly PausedClient[]
  /** What needs an operator, the worst first. */
  readonly problems: readonly Problem[]
}

/** Who has waited longest. */
export interface OldestPending {
  readonly clientId: string
  /** When the session ended that it has waited longest to be told of, in milliseconds since 1970. */
  readonly endedAt: number
  /** False: more RPs wait than were looked at (the 1,000 with most pending deliveries), and one of them may wait longer. */
  readonly isExact: boolean
}

/** Something that needs an operator. */
export interface Problem {
  /** Stable, for programs. */
  readonly code:
    | 'STORE_UNREACHABLE'
    | 'COMMITS_FORGED'
    | 'PLANNER_STOPPED'
    | 'PLANNER_BEHIND'
    | 'COMMITS_PARKED'
    | 'FEATURE_OFF'
    | 'CIRCUIT_OPEN'
    | 'DEAD_LETTERS'
    | 'DELIVERIES_OVERDUE'
    | 'CLIENT_PAUSED'
  readonly severity: 'error' | 'warning' | 'notice'
  /** What it is, and what to do about it, in a sentence each. */
  readonly message: string
  readonly advice: string
  /** The RP that it is about. */
  readonly clientId?: string
}

/** `GET /clients`, with `ClientsQuery`: RPs of which anything is known, by client id. `Page<ClientRow>`. */
export interface ClientsQuery extends PageQuery {
  /** Only client ids that contain this text. An id that nothing else is known of is looked up as a whole. */
  readonly q?: string
}
export type ClientsPage = Page<ClientRow>

/** An RP, and how it does. */
export interface ClientRow {
  readonly clientId: string
  /** How many logout tokens it is still to get. Absent: it was not counted in time. */
  readonly pending?: number
  /** When the session ended that it has waited longest to be told of. Absent: nothing is pending, or it was not counted. */
  readonly oldestPendingAt?: number
  /** Whether it is known to this process to fail again and again, and is left alone. */
  readonly circuit: 'open' | 'closed'
  readonly paused?: PausedClient
  /** Its share of the statistics; absent: nothing was sent to it within the last 24 hours, or it was left out. */
  readonly statistics?: ClientStatisticsRow
  /** It may have been left out of the statistics: there are more clients than they hold. */
  readonly statisticsLeftOut?: true
}

/** What an RP did within the last 24 hours. */
export interface ClientStatisticsRow {
  readonly confirmed: number
  readonly attemptsFailed: number
  readonly rejected: number
  readonly abandoned: number
  /** Confirmed attempts of all attempts, from 0 to 1. Absent: none was made. */
  readonly successRate?: number
  /** How long attempts took that were confirmed: request and answer. The log records no others. */
  readonly latencyMs?: { readonly p50: number; readonly p95: number }
  /** From the end of a session until this RP confirmed. */
  readonly timeToLogoutMs?: { readonly p50: number; readonly p95: number }
}

/** `GET /clients/one?client=<id>`: one RP. 404 `CLIENT_UNKNOWN`. */
export interface ClientDetail extends ClientRow {
  /** The uid of that session. Absent: it is not among the 200 pending deliveries that are due first. */
  readonly oldestPendingSession?: string
  /** Its back-channel logout metadata, where it comes from, and how it is tried. */
  readonly settings: ClientSettings
}

/**
 * `PUT /clients/one`: changes what a stored client says of back-channel logout. Answers with `ClientDetail`. 409
 * `CLIENT_CHANGED`: somebody has changed it since `version`, show it again. 409 `CLIENT_NOT_STORED`: it is of the
 * configuration. Operators only.
 */
export interface ClientChange {
  readonly client: string
  /** `settings.version` of the client as it was shown. */
  readonly version: string
  /** Members that change; null removes one. */
  readonly changes: {
    readonly backchannel_logout_uri?: string | null
    readonly backchannel_logout_session_required?: boolean | null
    readonly backchannel_logout_initiators?: readonly string[] | null
    readonly backchannel_logout_skip_superseded?: boolean | null
    readonly backchannel_logout_goes_by_sub?: boolean | null
  }
}

/** The body of `POST /clients/test`, `/clients/pause`, `/clients/resume`. Operators only. */
export interface ClientTarget {
  readonly client: string
}

/**
 * `POST /clients/test`: sends a real logout token, whose `sub` and `sid` are random, so that no session has them: the RP
 * ends nothing. It costs no pending delivery an attempt, and neither opens nor closes the circuit. Sent to a paused RP,
 * too. Some RPs answer 400 for a session that they do not know: that is an answer, and no fault.
 */
export type ClientTestAnswer = ClientTest

/** `POST /clients/pause` and `/clients/resume`. */
export interface ClientPauseAnswer {
  readonly paused?: PausedClient
}

/**
 * `GET /sessions`, with `SessionsQuery`: live sessions, `Page<LiveSession>`. At most one of `account` and `client`; none:
 * all. One that is used while the pages are asked for may be told twice: keep them by `uid`. At a client those are found
 * whose login was recorded while back-channel logout was on.
 */
export interface SessionsQuery extends PageQuery {
  readonly account?: string
  readonly client?: string
}
export type SessionsPage = Page<LiveSession>

/** `GET /logouts`, with `LogoutsQuery`: `Page<Receipt>`. */
export interface LogoutsQuery extends PageQuery {
  readonly account?: string
  readonly client?: string
  /** Only with an RP in this state. */
  readonly state?: ReceiptEntry['state']
  /** Only ends at this time or later. */
  readonly since?: number
}
export type LogoutsPage = Page<Receipt>

/** `GET /logouts/one?session=<uid>`: what became of a session's logout. */
export interface LogoutDetail {
  readonly receipt: Receipt
  /** What happened, the oldest first: the cause and its commit, each attempt, what operators did, the confirmation. */
  readonly timeline: LogoutTimeline
}

/** `GET /dead-letters`, with `DeadLettersQuery`: `Page<DeadLetter>`. */
export interface DeadLettersQuery extends PageQuery {
  readonly client?: string
  /** Only those that became one at this time or later. */
  readonly since?: number
  readonly state?: DeadLetter['state']
  /** `refused`, `budget_spent`, `expired`, `client_deleted`, `no_uri`, `account_forgotten`. */
  readonly failureReason?: string
  /** Only with this text in the client id, the session's uid, the sid, the error or the RP's answer. */
  readonly q?: string
}
export type DeadLettersPage = Page<DeadLetter>

/** `GET /pending`, with `PendingQuery`: by client, those due first. `Page<PendingDelivery>`. */
export interface PendingQuery extends PageQuery {
  readonly client?: string
  /** As for dead letters. */
  readonly q?: string
}
export type PendingPage = Page<PendingDelivery>

/** `GET /parked`, with `PageQuery`: `Page<ParkedCommit>`. */
export type ParkedPage = Page<ParkedCommit>

/**
 * `GET /export/dead-letters` and `GET /export/pending`: the list as a file, with the filter of the list (no cursor, no
 * limit) and a format. At most 100,000 rows; the last row, or `isComplete` of the JSON, says where that cut it short.
 */
export interface ExportQuery {
  readonly format: 'csv' | 'json'
}

/** `GET /terminations`, with `PageQuery`: ends of many sessions that were ordered, by whichever process. */
export type TerminationsPage = Page<TerminationStatus>

/** `GET /features`: how each stands, and who has set it when. */
export interface FeaturesAnswer {
  readonly features: readonly FeatureState[]
}

/** `PUT /features` sets, `DELETE /features` (without `enabled`) takes back. Both answer `FeaturesAnswer`. Operators only. */
export interface FeatureChange {
  readonly feature: FeatureState['feature']
  readonly level: 'system' | 'instance'
  readonly enabled?: boolean
}

/** `GET /log`, with `LogQuery`: the log's tail, the newest commit first. `Page<CommitRow>`. */
export type LogQuery = PageQuery
export type LogPage = Page<CommitRow>

/** A commit, and what it did. Nothing in it is secret, and no payload is in it. */
export interface CommitRow {
  readonly position: number
  readonly at: number
  /** The issuer whose commit it is. */
  readonly issuer?: string
  /** Who did it, where that is not the user of the request. */
  readonly actor?: string
  /** At most 20 of them. */
  readonly events: readonly EventRow[]
  /** How many it has. */
  readonly eventCount: number
}

/** An event: `kind` is that of its stream (`Session`, `Grant`, `session_logout`, …). */
export interface EventRow {
  readonly kind: string
  readonly type: string
  /** Of facts of logouts: the session's uid, the RP, its answer's status, why it ended. */
  readonly sessionUid?: string
  readonly clientId?: string
  readonly status?: number
  readonly reason?: string
}

/**
 * `POST /explain`, for viewers as well: what became of a token, a code, a session's cookie value, uid or sid. What is asked
 * for may be a credential: it is in the body, never in a URL, and neither kept nor answered.
 */
export interface ExplainRequest {
  readonly thing: string
}
export type ExplainAnswer = Explanation

/**
 * `POST /operations/terminate`: ends sessions. Answers 202 with `OperationAnswer` at once, a dry run after two
 * seconds at most, over or not; follow it by `GET /operations/one` or by the stream. Operators only, the dry run included.
 */
export interface TerminateRequest {
  /** Exactly one of these. `sessions`: 1 to 500 uids. */
  readonly target:
    | { readonly sessions: readonly string[] }
    | { readonly account: string }
    | { readonly client: string }
    | { readonly all: true }
  /** For `account` and `all`; default: `admin`, which is what `sessions` and `client` always are. */
  readonly reason?: TerminationReason
  /** Only counts what would end. */
  readonly dryRun?: boolean
}

/** `POST /operations/replay`: dead letters are sent again. As `TerminateRequest`. */
export interface ReplayRequest {
  /** Exactly one of these. `letters`: 1 to 100. `matching`: all that the filter finds now. */
  readonly target:
    | { readonly letters: readonly { readonly delivery: string; readonly sessionUid: string }[] }
    | { readonly matching: Omit<DeadLettersQuery, keyof PageQuery> }
  readonly dryRun?: boolean
}

/** `POST /operations/retry-client`: what waits for the RP is due at once. As `TerminateRequest`; no dry run. */
export interface RetryClientRequest {
  readonly client: string
}

/** `POST /operations/retry-parked`: parked commits are planned again. As `TerminateRequest`; no dry run. */
export interface RetryParkedRequest {
  /** Only the commit at this position. */
  readonly position?: number
}

/** `POST /operations/cancel`. Operators only. */
export interface CancelRequest {
  readonly id: string
}

/** `GET /operations`: those that this process runs or ran, the newest first; at most 100 that are over. */
export interface OperationsAnswer {
  readonly process: string
  readonly operations: readonly Operation[]
}

/** `GET /operations/one?id=<id>`. 404 `OPERATION_UNKNOWN`: another process runs it, or this one has started anew since. */
export interface OperationAnswer {
  readonly process: string
  readonly operation: Operation
}

/**
 * Something that takes a while, as the process knows it that runs it.
 *
 * - `running`
 * - `completed`: `result` says what it came to
 * - `cancelled`: nothing more happens; `progress` says what was done until then
 * - `left`: nobody waits for it any more, and it goes on: a termination that was ordered is carried out by whatever process
 *   lives, and cannot be called back. `GET /terminations` says how far it is
 * - `failed`: `error` says why; what was done until then stays done
 */
export interface Operation {
  readonly id: string
  readonly kind: 'terminate' | 'replay' | 'retry_client' | 'retry_parked'
  readonly dryRun: boolean
  /** What it is about, as it was asked for. */
  readonly request: TerminateRequest | ReplayRequest | RetryClientRequest | RetryParkedRequest
  readonly actor: string
  readonly startedAt: number
  readonly endedAt?: number
  readonly state: 'running' | 'completed' | 'cancelled' | 'left' | 'failed'
  /** What cancelling it does now. `leaves`: see `left`. Absent: it is over. */
  readonly cancelling?: 'stops' | 'leaves'
  /** How far it is. */
  readonly progress: OperationProgress
  /** The termination's id in the log, once it is ordered. */
  readonly termination?: string
  readonly result?: TerminationReport | Replays | RetryProgress | ParkedOutcome
  readonly error?: { readonly code: string; readonly message: string }
}

/** How far an operation is. */
export interface OperationProgress extends Partial<TerminationProgress> {
  /** How many of the sessions, dead letters, deliveries or commits were handled. */
  readonly done: number
  /** Of how many, where that is known. */
  readonly of?: number
}

/**
 * `GET /live`: server-sent events. While at least one browser listens, the server follows the log once for all of them.
 * A comment every 15 s shows that it is alive. Events:
 *
 * - `hello`, first: `LiveHello`
 * - `changes`, once a second at most, when the log has grown: `LiveChanges`
 * - `operation`, when one of this process has gone on: `Operation`
 *
 * The browser connects again by itself (`retry: 2000`), and is told the newest position by `hello`: it asks again for what
 * it shows. A stream ends after 15 minutes, so that the application is asked anew who this is: a 401 at the next one means
 * that the operator's sign-in is over.
 */
export interface LiveHello {
  readonly process: string
  /** Where the log ends. */
  readonly position: number
}

/** What the log's new commits are about. */
export type LiveTopic = 'sessions' | 'logouts' | 'dead_letters' | 'clients' | 'features' | 'terminations' | 'parked'

export interface LiveChanges {
  /** Where the log ends by now. */
  readonly position: number
  readonly topics: readonly LiveTopic[]
  /** The newest of the commits, the newest first; at most 50. */
  readonly commits: readonly CommitRow[]
  /** How many there were. */
  readonly count: number
}
