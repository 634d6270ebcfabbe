import { type AccountKeys, type Clock, ErasureUnfinishedError, type EventStore, systemClock } from '../../lib/index.ts'
import { ModelLog } from '../../lib/provider/model-log.ts'
import { UnitSessionTerminator } from '../../lib/provider/session-terminator.ts'
import type { DeadLetter } from './dead-letters/dead-letter.ts'
import { DeadLetters } from './dead-letters/dead-letters.ts'
import type { DeadLetterCriteria } from './dead-letters/listing.ts'
import type { ReplayOptions, Replays, ReplayTarget } from './dead-letters/replay.ts'
import { assertRetryOptions, hasten, type RetryOptions, type RetryProgress } from './delivery/hasten.ts'
import { type LostDelivery, lostDeliveries, restoreDeliveries } from './delivery/lost-deliveries.ts'
import { type ParkedCommit, ParkedCommits } from './delivery/parked-commits.ts'
import {
  assertPending,
  type PendingCount,
  type PendingCountOptions,
  type PendingCriteria,
  type PendingDelivery,
  pendingByClient,
  pendingOf,
} from './delivery/pending.ts'
import {
  assertLiveSessions,
  type LiveLogin,
  type LiveSession,
  type LiveSessionCriteria,
  liveSessionsOf,
} from './ending/live-sessions.ts'
import { type OpenTermination, openTerminations, restoreTermination } from './ending/open-terminations.ts'
import { newOrder, newTarget, type Whose } from './ending/order-termination.ts'
import { assertTerminateOptions } from './ending/terminate-options.ts'
import type { TerminationReason } from './ending/termination-events.ts'
import { newTerminationJob } from './ending/termination-job.ts'
import { previewTermination } from './ending/termination-preview.ts'
import { completionOf } from './ending/termination-work.ts'
import type { HistoryCriteria } from './receipts/history.ts'
import { assertNoneParked, untilPlanned } from './receipts/planned.ts'
import type { Receipt } from './receipts/receipt.ts'
import { Receipts } from './receipts/receipts.ts'
import { assertClearText, assertText, type ReadingOptions } from './recording/criteria.ts'
import { laneOf } from './work/lanes.ts'

/** How often it is looked whether an order was carried out, and for how long at most, in milliseconds. */
const LOOK_MS = 500
const MOST_MS = 120_000

/** What operations are made with. */
export interface OperationsParts {
  readonly store: EventStore
  /** The issuer whose sessions and logouts they are about. */
  readonly issuer: string
  readonly clock?: Clock
  /** The issuers that it was before. */
  readonly formerIssuers?: readonly string[]
}

/** A live session, without what only a process of the OP knows of its clients. */
export type KnownSession = Omit<LiveSession, 'logins'> & {
  readonly logins: readonly Omit<LiveLogin, 'hasBackchannelLogout'>[]
}

/**
 * What operators ask of logouts, and order, from outside of the OP's processes: a command line, a job. Nothing is sent from
 * here, and no provider is needed: orders are stored, and the OP's processes carry them out.
 */
export class LogoutOperations {
  readonly #store: EventStore
  readonly #issuer: string
  readonly #clock: Clock
  readonly #receipts: Receipts
  readonly #deadLetters: DeadLetters
  readonly #parked: ParkedCommits
  readonly #terminator: UnitSessionTerminator
  readonly #accountKeys: AccountKeys

  constructor({ store, issuer, clock = systemClock, formerIssuers = [] }: OperationsParts) {
    this.#store = store
    this.#issuer = issuer
    this.#clock = clock
    this.#receipts = new Receipts({ store, issuer, clock, waiting: () => 0 })
    this.#deadLetters = new DeadLetters({ store, issuer })
    const refuse = (): never => {
      throw new Error('nothing is ended or planned from here')
    }
    this.#parked = new ParkedCommits({ store, issuer, plan: refuse })
    const log = new ModelLog(store, clock, { issuers: () => [issuer, ...formerIssuers], heldBytes: 0 })
    this.#accountKeys = log.accountKeys
    this.#terminator = new UnitSessionTerminator(log, refuse)
  }

  /** As `backChannelLogout().receipt()`. */
  receipt(sessionUid: string): Promise<Receipt> {
    return this.#receipts.of(sessionUid)
  }

  /** As `backChannelLogout().history()`. */
  history(criteria: HistoryCriteria = {}, options: ReadingOptions = {}): AsyncIterable<Receipt> {
    return this.#receipts.history(criteria, options)
  }

  /** As `backChannelLogout().deadLetters()`. */
  deadLetters(options: DeadLetterCriteria & ReadingOptions = {}): AsyncIterable<DeadLetter> {
    return this.#deadLetters.list(options)
  }

  /** As `backChannelLogout().replay()`: the OP's processes send them. */
  replay(target: ReplayTarget, options: ReplayOptions): Promise<Replays> {
    return this.#deadLetters.replay(target, options)
  }

  /** As `backChannelLogout().pending()`. */
  pending(
    criteria: PendingCriteria = {},
    options: Pick<ReadingOptions, 'limit' | 'signal'> = {},
  ): AsyncIterable<PendingDelivery> {
    assertPending(criteria, options)
    return pendingOf(this.#pending, criteria, options)
  }

  /** As `backChannelLogout().pendingByClient()`. */
  pendingByClient(options: PendingCountOptions = {}): Promise<PendingCount[]> {
    return pendingByClient(this.#pending, options)
  }

  /** Makes what a client is owed due at once. Circuits that are open in the OP's processes stay so until they probe. */
  async hasten({ client }: { readonly client: string }, options: RetryOptions = {}): Promise<RetryProgress> {
    assertText('client', client)
    assertRetryOptions(options)
    return { hastened: await hasten(this.#pending.work, laneOf(this.#issuer, client), options) }
  }

  /** As `backChannelLogout().parked()`. */
  parked(options: Pick<ReadingOptions, 'limit' | 'signal'> = {}): AsyncIterable<ParkedCommit> {
    return this.#parked.list(options)
  }

  /** As `backChannelLogout().sessions()`. */
  async *sessions(
    criteria: LiveSessionCriteria,
    options: Pick<ReadingOptions, 'limit' | 'signal'> = {},
  ): AsyncGenerator<KnownSession, void> {
    assertLiveSessions(criteria, options)
    const host = { store: this.#store, terminator: this.#terminator, clock: this.#clock }
    const clients = { find: async () => undefined }
    for await (const session of liveSessionsOf({ host, clients, toleranceSeconds: 0 }, criteria, options))
      yield { ...session, logins: session.logins.map(({ clientId, sid }) => ({ clientId, sid })) }
  }

  /**
   * Orders that sessions end: all of an account, all logins at a client, or all of the issuer. Resolves when the order is
   * stored; the OP's processes carry it out. `termination(id)` tells how it stands.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`), and whatever the store throws
   */
  async terminate(
    whose: Whose,
    options: { readonly actor: string; readonly reason?: TerminationReason },
  ): Promise<{ readonly id: string }> {
    assertTerminateOptions(options, ['actor', 'reason'])
    assertWhose(whose)
    const { actor, reason = 'admin' } = options
    const parts = { store: this.#store, accountKeys: this.#accountKeys }
    const { id, commit } = await newOrder(parts, this.#issuer, whose, { reason, actor })
    await this.#store.append(commit)
    return { id }
  }

  /** What a termination came to; undefined: it is not carried out yet. */
  async termination(
    id: string,
  ): Promise<
    { readonly sessions: number; readonly logins: number; readonly grants: number; readonly failed: number } | undefined
  > {
    const completed = await completionOf(this.#store, id)
    if (!completed) return undefined
    const { sessions, logins, grants, failed } = completed
    return { sessions, logins, grants, failed }
  }

  /**
   * What such an order would come to now. Changes nothing. Whether an RP that holds a grant alone is told only a process of
   * the OP knows: its login is not counted.
   */
  async previewTermination(
    whose: Whose,
    options: { readonly reason?: TerminationReason; readonly signal?: AbortSignal } = {},
  ): Promise<{
    readonly sessions: number
    readonly logins: number
    readonly grants: number
    readonly failed: number
  }> {
    assertWhose(whose)
    const { reason = 'admin', signal } = options
    const { id, target } = newTarget(this.#store.keys, whose)
    const job = newTerminationJob(id, (await this.#store.end()) + 1, { target, reason, actor: 'a preview' })
    const host = { store: this.#store, clock: this.#clock, terminator: this.#terminator }
    const clients = { find: async () => undefined }
    return previewTermination({ host, clients, isOn: () => true, toleranceSeconds: 0 }, job, signal)
  }

  /**
   * Orders that all sessions and grants of an account end, and waits until the OP's processes have ended them and decided
   * whom to tell: what `forgetAccount` does first. With `dryRun` it counts what lives.
   *
   * @throws ErasureUnfinishedError (`ERASURE_UNFINISHED`): no process has done it within two minutes
   */
  async endAccount(
    accountId: string,
    { actor, dryRun, signal }: { readonly actor: string; readonly dryRun: boolean; readonly signal?: AbortSignal },
  ): Promise<number> {
    if (dryRun) {
      const options = { reason: 'account_deleted', ...(signal && { signal }) } as const
      const { sessions, grants } = await this.previewTermination({ kind: 'account', accountId }, options)
      return sessions + grants
    }
    const { id } = await this.terminate({ kind: 'account', accountId }, { actor, reason: 'account_deleted' })
    const began = this.#clock.monotonic()
    for (;;) {
      signal?.throwIfAborted()
      const report = await this.termination(id)
      if (report) {
        await untilPlanned({ store: this.#store, clock: this.#clock }, signal)
        await assertNoneParked(this.#store, accountId)
        return report.sessions + report.grants
      }
      if (this.#clock.monotonic() - began >= MOST_MS)
        throw new ErasureUnfinishedError(
          `no process of the OP with back-channel logout has carried out the termination ${id} yet`,
        )
      await this.#clock.sleep(LOOK_MS, signal)
    }
  }

  /** Orders to end sessions that are not carried out yet, the newest first; of the newest 500 at least. */
  openTerminations(): Promise<OpenTermination[]> {
    return openTerminations(this.#parts)
  }

  /**
   * Puts an order that is `lost` back into the table of work, from the log: the OP's processes carry it out. Twice does no
   * harm. False: it is not lost.
   */
  restoreTermination(id: string): Promise<boolean> {
    assertText('id', id)
    return restoreTermination(this.#parts, id)
  }

  /**
   * Logout tokens that are pending in the log, and lie in no table of work: of the newest 1,000 commits that end sessions.
   * Nobody sends them: somebody or something has emptied the table.
   */
  lostDeliveries(): Promise<LostDelivery[]> {
    return lostDeliveries(this.#parts)
  }

  /**
   * Puts lost deliveries back into the table of work, from the log: the OP's processes send them. Twice does no harm. What is
   * older than 48 hours becomes a dead letter, which can be sent again.
   *
   * @returns how many were put back
   */
  restoreDeliveries(): Promise<number> {
    return restoreDeliveries(this.#parts)
  }

  get #parts() {
    return { store: this.#store, accountKeys: this.#accountKeys, issuer: this.#issuer, clock: this.#clock }
  }

  get #pending() {
    return { work: this.#store.work('deliveries'), issuer: this.#issuer }
  }
}

function assertWhose(whose: Whose): void {
  if (whose.kind === 'account') {
    assertText('accountId', whose.accountId)
    if (whose.clientId !== undefined) assertClearText('clientId', whose.clientId)
    if (whose.except !== undefined) assertClearText('except', whose.except)
  }
  if (whose.kind === 'client') assertClearText('clientId', whose.clientId)
}
