import { type Host, type Plugin, ProviderUnfitError } from '../../lib/index.ts'
import { Background } from './background.ts'
import { BrokenClients } from './clients/broken-clients.ts'
import { withBackChannelLogout } from './clients/client-metadata.ts'
import { LogoutClients } from './clients/logout-clients.ts'
import { ToldClients } from './clients/told-clients.ts'
import type { DeadLetter } from './dead-letters/dead-letter.ts'
import { DeadLetters } from './dead-letters/dead-letters.ts'
import type { DeadLetterCriteria } from './dead-letters/listing.ts'
import type { ReplayOptions, Replays, ReplayTarget } from './dead-letters/replay.ts'
import { ClientTester } from './delivery/client-tester.ts'
import { type DeliveryPolicy, longestAgeMs } from './delivery/delivery-policy.ts'
import { assertRetryOptions, type RetryOptions, type RetryProgress } from './delivery/hasten.ts'
import type { ParkedCommit, ParkedOutcome } from './delivery/parked-commits.ts'
import { type PausedClient, PausedClients, type PauseOptions, type PauseTarget } from './delivery/paused-clients.ts'
import {
  assertPending,
  type PendingCount,
  type PendingCountOptions,
  type PendingCriteria,
  type PendingDelivery,
  type PendingParts,
  pendingByClient,
  pendingOf,
} from './delivery/pending.ts'
import { policyOf } from './delivery/policy-options.ts'
import { hideFromDiscovery } from './discovery.ts'
import { EndingWork } from './ending/ending-work.ts'
import { ENDINGS } from './ending/endings.ts'
import { assertLiveGrants, type LiveGrant, type LiveGrantCriteria, liveGrantsOf } from './ending/live-grants.ts'
import { LiveIndex } from './ending/live-index.ts'
import {
  assertLiveSessions,
  type LiveSession,
  type LiveSessionCriteria,
  liveSessionsOf,
} from './ending/live-sessions.ts'
import type {
  TerminateAccountOptions,
  TerminateManyOptions,
  TerminateSessionOptions,
  TerminateWithReasonOptions,
} from './ending/terminate-options.ts'
import { type TerminationReport, type TerminationStatus, Terminations } from './ending/terminations.ts'
import { type BoundedCount, type Health, healthOf } from './health.ts'
import { InternalClients } from './network/internal-clients.ts'
import { assertOptions, type BackChannelLogoutOptions } from './options.ts'
import { LogoutPages } from './pages/logout-pages.ts'
import { internalsOf, type OidcClient, type OidcProvider } from './provider-internals.ts'
import { replaceProviderLogout } from './provider-logout.ts'
import type { HistoryCriteria } from './receipts/history.ts'
import { assertNoneParked, untilPlanned } from './receipts/planned.ts'
import type { Receipt, Waiting } from './receipts/receipt.ts'
import { Receipts } from './receipts/receipts.ts'
import type { LogoutTimeline } from './receipts/timeline.ts'
import { timelineOf } from './receipts/timeline-of.ts'
import {
  assertActor,
  assertKnown,
  assertPosition,
  assertReading,
  assertText,
  type ReadingOptions,
} from './recording/criteria.ts'
import { sessionLogoutRule } from './recording/retention-rule.ts'
import { BackChannelObserver } from './recording/session-observer.ts'
import { SingleSession } from './single-session/single-session.ts'
import { LogStatistics } from './statistics/log-statistics.ts'
import type { LogoutStatistics } from './statistics/statistics.ts'

/**
 * Back-channel logout (OpenID Connect Back-Channel Logout 1.0) that cannot lose a logout: a plugin for `eventSourced()`.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function backChannelLogout(options: BackChannelLogoutOptions = {}): BackChannelLogout {
  return new BackChannelLogout(options)
}

/** From one start to the next stop. */
interface Running {
  readonly background: Background
  readonly clients: ToldClients
  readonly terminations: Terminations
  readonly singleSession: SingleSession
  readonly receipts: Receipts
  readonly deadLetters: DeadLetters
  readonly pending: PendingParts
  readonly statistics: LogStatistics
  readonly tester: ClientTester
  readonly waiting: Waiting
  readonly provider: OidcProvider
  readonly host: Host
  readonly started: Promise<void>
  stopped: Promise<void> | undefined
}

/** So many live sessions are counted. */
const COUNTED_SESSIONS = 10_000

/** The plugin, and what it can be asked. */
export class BackChannelLogout implements Plugin {
  readonly name = 'back_channel_logout'
  readonly observer: BackChannelObserver = new BackChannelObserver()
  readonly features: NonNullable<Plugin['features']>
  readonly retention: NonNullable<Plugin['retention']>
  readonly work: readonly string[] = ['deliveries', ENDINGS]
  /** Which RPs may be inside the operators' own network. */
  readonly network: InternalClients
  /** The lists a page at a time. */
  readonly pages: LogoutPages = new LogoutPages(() => this.#pagesParts())
  /** The clients, as far as back-channel logout goes. */
  readonly clients: LogoutClients = new LogoutClients(() => this.#clientsParts())
  readonly #options: BackChannelLogoutOptions
  readonly #policy: DeliveryPolicy
  readonly #brokenClients = new BrokenClients()
  readonly #paused = new PausedClients(() => this.#running?.background.dispatcher.wake())
  /** The provider's own default of `clockTolerance`. */
  #toleranceSeconds = 15
  #host: Host | undefined
  #running: Running | undefined

  constructor(options: BackChannelLogoutOptions) {
    assertOptions(options)
    this.#options = options
    this.#policy = policyOf(options.delivery)
    this.network = new InternalClients(options.allowInternal ?? [])
    this.retention = [sessionLogoutRule(longestAgeMs(this.#policy))]
    this.features = {
      back_channel_logout: options.enabled ?? true,
      single_session_termination: options.singleSessionTermination ?? false,
    }
  }

  configure<C extends object>(configuration: C): C {
    const { clockTolerance } = configuration as { readonly clockTolerance?: unknown }
    if (typeof clockTolerance === 'number') this.#toleranceSeconds = clockTolerance
    this.clients.configure(configuration)
    return withBackChannelLogout(configuration, this.#development)
  }

  readonly middleware: NonNullable<Plugin['middleware']> = async (ctx, next) => {
    const single = this.#isSingleOn() ? this.#running?.singleSession : undefined
    if (await single?.answers(ctx)) return
    await next()
    await single?.replacesPage(ctx)
    if (!this.#isOn()) hideFromDiscovery(ctx)
  }

  async start(host: Host): Promise<void> {
    await this.#running?.stopped
    this.#assertMine(host)
    this.#running ??= this.#begin(host)
    try {
      await this.#running.started
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    const running = this.#running
    if (!running) return
    running.terminations.stop()
    running.stopped ??= running.background.stop().finally(() => {
      this.network.stop()
      this.#paused.stop()
      this.#running = undefined
    })
    await running.stopped
  }

  /** Its requests are observed in the name of its issuer from the first start on, also while it is stopped. */
  #assertMine({ provider, store }: Host): void {
    if (!this.#host || (this.#host.provider === provider && this.#host.store === store)) return
    throw new ProviderUnfitError(
      `this back-channel logout is that of ${this.#host.provider.issuer}: give each eventSourced() one of its own`,
    )
  }

  #begin(host: Host): Running {
    const provider = internalsOf(host.provider)
    const { store, logger, features } = host
    const development = this.#development
    const isOn = (): boolean => this.#isOn()
    this.#host = host
    replaceProviderLogout(provider)
    this.#brokenClients.attach(provider, logger, host.clock)
    const mayFilterOperators = new Set(this.#options.mayFilterOperators)
    const clients = new ToldClients({
      provider,
      logger,
      clock: host.clock,
      development,
      mayFilterOperators: (clientId) => mayFilterOperators.has(clientId),
    })
    const ending = { host, provider, clients, isOn, toleranceSeconds: this.#toleranceSeconds }
    const terminations = new Terminations(ending, (onProgress) => new EndingWork({ ...ending, onProgress }))
    const background = new Background({
      host,
      provider,
      clients,
      configured: this.clients.configured,
      endings: terminations.work,
      policy: this.#policy,
      development,
      isInside: (client) => this.network.isInside(client),
      isOn,
      paused: () => this.#paused.ids,
      network: this.#options.network,
      health: () => this.health(),
    })
    this.observer.attach({
      provider,
      keys: host.accountKeys,
      clients,
      isOn,
      committed: (appended, events) => background.committed(appended, events),
    })
    const { issuer } = provider
    const waiting: Waiting = (from, to) => features.offMs('back_channel_logout', from, to)
    const isInside = (client: OidcClient): boolean => this.network.isInside(client)
    const running: Running = {
      background,
      provider,
      waiting,
      statistics: new LogStatistics({ store, clock: host.clock, issuer, configured: this.clients.configured, waiting }),
      tester: new ClientTester({
        provider,
        network: background.network,
        clock: host.clock,
        logger,
        policy: this.#policy,
        development,
        isInside,
        isOn,
      }),
      clients,
      terminations,
      singleSession: new SingleSession({ host, provider, source: this.#options.singleSessionSource }),
      receipts: new Receipts({
        store,
        issuer,
        clock: host.clock,
        waiting,
      }),
      deadLetters: new DeadLetters({ store, issuer }),
      host,
      pending: { work: store.work('deliveries'), issuer },
      started: Promise.all([this.network.start(host.operators, logger), this.#paused.start(host.operators)]).then(
        () => running.stopped ?? background.start(),
      ),
      stopped: undefined,
    }
    return running
  }

  async endAccount(accountId: string, options: Parameters<NonNullable<Plugin['endAccount']>>[1]): Promise<number> {
    const { terminations, host } = this.#started()
    const { actor, dryRun, signal } = options
    const order = { actor, dryRun, reason: 'account_deleted', ...(signal && { signal }) } as const
    const { sessions, grants } = await terminations.account(accountId, order)
    if (!dryRun) {
      await untilPlanned(host, signal)
      await assertNoneParked(host.store, accountId)
    }
    return sessions + grants
  }

  /**
   * Which RP confirmed the end of a session, which is pending, which failed. Nothing ended yet: no ends.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  async receipt(sessionUid: string): Promise<Receipt> {
    return this.#started().receipts.of(sessionUid)
  }

  /**
   * The receipts of an account, of a client, or of all that ended since a time; of this issuer, in the order of the ends.
   * A session is told once. Memory holds a page of the log, however long the history is.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  history(criteria: HistoryCriteria = {}, options: ReadingOptions = {}): AsyncIterable<Receipt> {
    return this.#started().receipts.history(criteria, options)
  }

  /**
   * The receipts of what a termination of many sessions has ended so far, in the order of the ends. A session of which only
   * logins ended is told with all its ends.
   *
   * @param id - as `terminateAccount()` and its like report it
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  receiptsOf(id: string, options: Pick<ReadingOptions, 'limit' | 'signal'> = {}): AsyncIterable<Receipt> {
    return this.#started().receipts.ofTermination(id, options)
  }

  /**
   * The receipt now, and again after each change, until the session has ended and nobody is still to be told, or `signal`
   * aborts.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  watch(sessionUid: string, options: Pick<ReadingOptions, 'signal'> = {}): AsyncIterable<Receipt> {
    return this.#started().receipts.watch(sessionUid, options)
  }

  /**
   * What happened to a session's logout: the cause and its commit, each attempt, what operators did, the confirmation; the
   * oldest first. Nothing of it in the log: no entries.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  async timeline(sessionUid: string): Promise<LogoutTimeline> {
    const { host, waiting } = this.#started()
    assertText('sessionUid', sessionUid)
    return timelineOf({ store: host.store, waiting }, sessionUid)
  }

  /**
   * What happened within the last 24 hours, by client and by quarter of an hour. Counted from the newest 20,000 commits of the
   * log at most, and kept in this process: the next call reads what came since. Nothing is read while nobody calls.
   */
  async statistics(): Promise<LogoutStatistics> {
    return this.#started().statistics.look()
  }

  /**
   * How many live sessions of this issuer there are, counted up to 10,000 by the index: some that ended a moment ago may be
   * among them.
   */
  async countSessions(): Promise<BoundedCount> {
    const { host, provider } = this.#started()
    return new LiveIndex(host.store).countSessions(provider.issuer, host.clock.now(), COUNTED_SESSIONS)
  }

  /** The provider's issuer. */
  get issuer(): string {
    return this.#started().provider.issuer
  }

  /** Clients whose RPs this process leaves alone, since they fail again and again. */
  openCircuits(): readonly string[] {
    return this.#started().background.dispatcher.openCircuits()
  }

  /**
   * What RPs were not told, and nobody tries to tell them any more; in the order in which they became dead letters.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  deadLetters(options: DeadLetterCriteria & ReadingOptions = {}): AsyncIterable<DeadLetter> {
    return this.#started().deadLetters.list(options)
  }

  /**
   * Has dead letters sent again, with fresh tokens and a budget as if they were new: one, those of a client, all since a
   * time. Where it fails on the way, some are replayed; called again it goes on with the rest.
   *
   * @returns how many this call has replayed; with `dryRun` how many it would have; and how many are left alone, since the
   * account was forgotten that they are about
   * @throws OptionInvalidError (`OPTION_INVALID`), NotADeadLetterError (`NOT_A_DEAD_LETTER`) where one was asked for
   */
  async replay(target: ReplayTarget, options: ReplayOptions): Promise<Replays> {
    return this.#started().deadLetters.replay(target, options)
  }

  /**
   * What RPs are still to be told of, by client, those due first. Reads the work table alone, a page at a time; what is
   * settled meanwhile may be told or not; what is tried meanwhile may be told twice.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  pending(
    criteria: PendingCriteria = {},
    options: Pick<ReadingOptions, 'limit' | 'signal'> = {},
  ): AsyncIterable<PendingDelivery> {
    const { pending } = this.#started()
    assertPending(criteria, options)
    return pendingOf(pending, criteria, options)
  }

  /**
   * How many logout tokens each client is still to get, those with most first, and since when it waits; clients without any
   * are left out. One read of the work table, however many clients there are.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  async pendingByClient(options: PendingCountOptions = {}): Promise<PendingCount[]> {
    return pendingByClient(this.#started().pending, options)
  }

  /**
   * Tries now what waits for a client: its pending deliveries are due at once, in whatever process, and this process
   * forgets that the RP failed or asked to be left alone. An attempt that fails costs nothing of their schedule. A client
   * that is paused stays so. Many are made due a page at a time, until `signal` aborts.
   *
   * @returns how many deliveries are due earlier by that
   * @throws OptionInvalidError (`OPTION_INVALID`), and whatever the store throws: called again it goes on with the rest
   */
  async retry(target: PauseTarget, options: RetryOptions = {}): Promise<RetryProgress> {
    const { background } = this.#started()
    assertKnown(target, ['client'])
    assertText('client', target.client)
    assertRetryOptions(options)
    return { hastened: await background.dispatcher.retry(target.client, options) }
  }

  /**
   * Has nothing sent to a client until it is resumed: in this process from now on, in all others of this issuer within
   * about two seconds, and after restarts. What is in flight ends; what is owed waits, and grows older meanwhile.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  async pause(target: PauseTarget, options: PauseOptions): Promise<void> {
    this.#started()
    await this.#paused.record('delivery_pause.paused', target, options)
  }

  /**
   * Has what is owed to a client sent again.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  async resume(target: PauseTarget, options: PauseOptions): Promise<void> {
    this.#started()
    await this.#paused.record('delivery_pause.resumed', target, options)
  }

  /** The clients that are paused, by client id, with what any process had recorded before the call. */
  async paused(): Promise<PausedClient[]> {
    this.#started()
    return this.#paused.list()
  }

  /**
   * What an operator's probe needs to know, in one call that reads no more of the log however much was owed: the
   * planner's lag, the oldest due delivery, dead letters, parked commits, open circuits, whether the store answers. Never
   * rejects for want of the store, and answers within some seconds.
   */
  health(): Promise<Health> {
    const { host, background, pending } = this.#started()
    return healthOf({
      store: host.store,
      clock: host.clock,
      issuer: pending.issuer,
      work: pending.work,
      parked: background.parked,
      isOn: () => this.#isOn(),
      paused: () => this.#paused.ids,
      openCircuits: () => background.dispatcher.openCircuits(),
      plannerFailure: () => background.plannerFailure,
    })
  }

  /**
   * The commits that the planner could not plan, those parked last first: the logouts that they cause are not told until
   * they are planned. They are those of the log, whichever issuer they are of.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  parked(options: Pick<ReadingOptions, 'limit' | 'signal'> = {}): AsyncIterable<ParkedCommit> {
    const { background } = this.#started()
    assertKnown(options, ['limit', 'signal'])
    assertReading(options)
    return background.parked.list(options)
  }

  /**
   * Plans parked commits again: all of them, or the one at a position, until `signal` aborts. Each start of a process does that by itself, since
   * a newer version may know what an older one could not plan. Planning one twice tells nobody twice.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`), and whatever the store throws: called again it goes on with the rest
   */
  async retryParked(options: {
    readonly actor: string
    readonly position?: number
    readonly signal?: AbortSignal
  }): Promise<ParkedOutcome> {
    const { background } = this.#started()
    assertKnown(options, ['actor', 'position', 'signal'])
    const { signal, ...which } = options
    assertActor(which.actor)
    assertPosition(which.position)
    assertReading(signal === undefined ? {} : { signal })
    return background.parked.retry(which, signal)
  }

  /**
   * The live sessions of an account and their logins at RPs: up to a hundred in the order in which they were used last, the
   * newest first; beyond that those that began last first. What ended before costs nothing.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  sessions(
    criteria: LiveSessionCriteria,
    options: Pick<ReadingOptions, 'limit' | 'signal'> = {},
  ): AsyncIterable<LiveSession> {
    const { host, clients } = this.#started()
    assertLiveSessions(criteria, options)
    return liveSessionsOf({ host, clients, toleranceSeconds: this.#toleranceSeconds }, criteria, options)
  }

  /**
   * The live grants of an account: what clients may do, with those that hold nothing but a grant. Up to a hundred in the
   * order in which they were written last, the newest first; beyond that those that began last first. What ended before
   * costs nothing.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  grants(
    criteria: LiveGrantCriteria,
    options: Pick<ReadingOptions, 'limit' | 'signal'> = {},
  ): AsyncIterable<LiveGrant> {
    const { host, clients } = this.#started()
    assertLiveGrants(criteria, options)
    return liveGrantsOf({ host, clients, toleranceSeconds: this.#toleranceSeconds }, criteria, options)
  }

  /**
   * Ends one session: closes it, revokes the grants of its logins that do not outlive a logout, and tells the RPs. One
   * commit. Resolves when it is stored; the RPs are told afterwards.
   *
   * @param uid - the session's uid, not its cookie value. One that has ended, or never was, counts nothing
   * @throws OptionInvalidError (`OPTION_INVALID`), and whatever the store throws: then nothing has ended
   */
  async terminateSession(uid: string, options: TerminateSessionOptions): Promise<TerminationReport> {
    return this.#started().terminations.session(uid, options)
  }

  /**
   * Ends all sessions of an account that began before the call. Resolves when they have ended; should the process die
   * meanwhile, others go on with it. With a reason other than `admin` all grants of the account are revoked, and RPs that
   * hold nothing but a grant are told by a token without sid.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`), TerminationUnfinishedError (`TERMINATION_UNFINISHED`) when this process
   *   stops meanwhile, and whatever the store throws before the termination was recorded
   */
  async terminateAccount(accountId: string, options: TerminateAccountOptions): Promise<TerminationReport> {
    return this.#started().terminations.account(accountId, options)
  }

  /**
   * Ends every login at a client, and every grant that it holds; the sessions live on without it. For before it is
   * deleted: a client that is gone cannot be told. Otherwise as `terminateAccount()`.
   */
  async terminateClient(clientId: string, options: TerminateManyOptions): Promise<TerminationReport> {
    return this.#started().terminations.client(clientId, options)
  }

  /**
   * Takes back what an account has allowed a client: revokes its grants there and ends its logins, of which the RP is told;
   * the sessions live on without them. The reason is `authorization_removed`. Otherwise as `terminateAccount()`.
   */
  async terminateClientOfAccount(
    accountId: string,
    clientId: string,
    options: TerminateManyOptions,
  ): Promise<TerminationReport> {
    return this.#started().terminations.clientOfAccount(accountId, clientId, options)
  }

  /** Ends all sessions of this issuer that began before the call. Otherwise as `terminateAccount()`. */
  async terminateAll(options: TerminateWithReasonOptions): Promise<TerminationReport> {
    return this.#started().terminations.all(options)
  }

  /** The terminations of many sessions that were ordered, the newest first, and how they stand. */
  terminations(): AsyncGenerator<TerminationStatus, void, undefined> {
    return this.#started().terminations.list()
  }

  /**
   * What a termination of many sessions came to. Undefined: it is not carried out yet, or there is none of this id.
   *
   * @param id - as `terminateAccount()` and its like report it
   * @throws OptionInvalidError (`OPTION_INVALID`)
   */
  async termination(id: string): Promise<TerminationReport | undefined> {
    return this.#started().terminations.report(id)
  }

  #pagesParts(): ReturnType<ConstructorParameters<typeof LogoutPages>[0]> {
    const { host, clients, pending, background, terminations, waiting, provider } = this.#started()
    const { store } = host
    const { issuer } = provider
    return {
      sessions: { host, clients, toleranceSeconds: this.#toleranceSeconds },
      history: { store, issuer, waiting },
      deadLetters: { store, issuer },
      pending,
      parked: background.parked,
      terminations,
    }
  }

  #clientsParts(): ReturnType<ConstructorParameters<typeof LogoutClients>[0]> {
    const { host, provider, tester } = this.#started()
    const { network } = this
    return { host, provider, tester, network, policy: this.#policy, development: this.#development }
  }

  #started(): Running {
    if (!this.#running)
      throw new ProviderUnfitError('back-channel logout is not started: call start() of eventSourced() first')
    return this.#running
  }

  #isOn(): boolean {
    return this.#host?.features.isOn('back_channel_logout') ?? false
  }

  #isSingleOn(): boolean {
    return this.#host?.features.isOn('single_session_termination') ?? false
  }

  get #development(): boolean {
    return this.#options.development ?? false
  }
}
