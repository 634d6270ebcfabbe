import { type Clock, systemClock } from './clock.ts'
import { assertForget, type ForgetOptions, type ForgetReport, forgetAccount } from './erasure/forget.ts'
import { AlreadyClaimedError, OptionInvalidError, ProviderUnfitError } from './errors.ts'
import { assertOptions, type EventSourcedOptions } from './event-sourced-options.ts'
import { explain } from './explain/explain.ts'
import type { Explanation } from './explain/explanation.ts'
import type { Feature } from './features/feature-gates.ts'
import { Features } from './features/features.ts'
import type { EventStore } from './log/event-store.ts'
import { Heartbeat } from './log/heartbeat.ts'
import { componentLogger, consoleLogger, type Logger } from './logger.ts'
import { OperatorsLog } from './operators/operators-log.ts'
import type { Plugin } from './plugin.ts'
import { type AutocommitWrite, ModelAdapter, type UnitSource } from './provider/adapter.ts'
import type { ErrorPage } from './provider/answers.ts'
import type { Configuration, ConfigurationWithoutAdapter } from './provider/configuration.ts'
import { ModelLog } from './provider/model-log.ts'
import { isModelName, isWrittenByRequests } from './provider/models.ts'
import { LogMover, type Mover } from './provider/mover.ts'
import { isStoreUnavailable, OneCommit } from './provider/one-commit.ts'
import { ownAdapter } from './provider/own-adapters.ts'
import { assertProvider } from './provider/provider-check.ts'
import type { ProviderAdapter, ProviderLike } from './provider/provider-like.ts'
import { RecentSessions } from './provider/recent-sessions.ts'
import { asProviderError, usedUp } from './provider/refusals.ts'
import type { Cause } from './provider/session-change.ts'
import { type SessionTerminator, UnitSessionTerminator } from './provider/session-terminator.ts'
import { StartGate } from './provider/start-gate.ts'
import type { UnitContext } from './provider/unit-context.ts'
import { UnitOfWork } from './provider/unit-of-work.ts'
import { WriteTurns } from './provider/write-turns.ts'
import { type RekeyOptions, rekeyLog } from './rekey/rekey.ts'
import type { RekeyReport } from './rekey/rekey-report.ts'
import { LogRetention, type Retention } from './retention/retention.ts'
import { retentionPolicy } from './retention/retention-options.ts'
import { GoneSeries } from './telemetry/gone-series.ts'
import { guardedTelemetry } from './telemetry/guarded-telemetry.ts'
import { logGauges } from './telemetry/log-gauges.ts'
import { measuredStore } from './telemetry/measured-store.ts'
import { noTelemetry, type Telemetry } from './telemetry/telemetry.ts'

/** Makes the adapter of a model: what oidc-provider's `adapter` option takes. */
export type AdapterFactory = (model: string) => ProviderAdapter

/**
 * Puts an oidc-provider on the log.
 *
 *     const op = eventSourced(store, { plugins })
 *     const provider = new Provider(issuer, op.configure(configuration))
 *     await op.start(provider)
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function eventSourced(store: EventStore, options: EventSourcedOptions = {}): EventSourced {
  return new EventSourced(store, options)
}

/** An oidc-provider on the log: its adapter, its unit of work, its plugins. */
export class EventSourced {
  /** For oidc-provider's `adapter` option, where `configure()` is not used. */
  readonly adapter: AdapterFactory
  /** What is switched on and off while the processes run. */
  readonly features: Features
  /** Takes over what another adapter holds, and lists what lives: for moving in and out. */
  readonly mover: Mover
  /** Removes what nobody needs any more. */
  readonly retention: Retention
  readonly #retention: LogRetention
  readonly #store: EventStore
  readonly #log: ModelLog
  readonly #plugins: readonly Plugin[]
  readonly #operators: OperatorsLog
  readonly #heartbeat: Heartbeat
  readonly #formerIssuers: readonly string[]
  /** As it was given: each part makes its own of it. */
  readonly #hostLogger: Logger
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #telemetry: Telemetry
  #endOfGauges: (() => void) | undefined
  readonly #oneCommit: OneCommit
  readonly #recentSessions = new RecentSessions()
  readonly #writeTurns = new WriteTurns()
  readonly #gate: StartGate
  #errorPage: ErrorPage | undefined
  #isConfigured = false
  /** Models of which a write outside the request that has read them was logged: once is enough. */
  readonly #outsideLogged = new Set<string>()
  readonly #logged = new Set<string>()
  #provider: ProviderLike | undefined
  /** Whose commits are its own: known from the first start on. */
  #issuers: readonly string[] = []
  readonly #running: Plugin[] = []
  readonly #adapters = new WeakSet<object>()
  #started: Promise<void> | undefined
  /** The stop that was asked for last: a start that is asked for after it waits for it. */
  #stopping: Promise<void> | undefined

  constructor(given: EventStore, options: EventSourcedOptions) {
    assertOptions(given, options)
    this.#clock = options.clock ?? systemClock
    this.#hostLogger = options.logger ?? consoleLogger
    this.#logger = componentLogger(this.#hostLogger, 'provider')
    this.#telemetry = options.telemetry ? guardedTelemetry(options.telemetry, this.#logger) : noTelemetry
    const store = options.telemetry ? measuredStore(given, this.#telemetry, this.#clock) : given
    this.#store = store
    this.#plugins = options.plugins ?? []
    const own = options.adapters ?? {}
    this.#formerIssuers = options.formerIssuers ?? []
    const issuers = (): readonly string[] => this.#issuers
    this.#log = new ModelLog(store, this.#clock, { issuers, heldBytes: options.heldBytes })
    const context = { store, clock: this.#clock, logger: this.#logger }
    this.#heartbeat = new Heartbeat(context)
    this.#retention = new LogRetention({
      ...context,
      telemetry: this.#telemetry,
      policy: retentionPolicy(options.retention),
      rules: this.#plugins.flatMap(({ retention = [] }) => retention),
    })
    this.retention = this.#retention
    this.#operators = new OperatorsLog({ ...context, heartbeat: this.#heartbeat, issuers })
    this.features = new Features(this.#operators, configuredFeatures(this.#plugins))
    const pages = { clock: this.#clock, errorPage: () => this.#errorPage }
    this.#gate = new StartGate({ ...pages, logger: this.#logger })
    this.#oneCommit = new OneCommit({
      open: (request) => new UnitOfWork(this.#context(), { kind: 'request', request }),
      keys: store.keys,
      logger: this.#logger,
      ...pages,
    })
    this.mover = new LogMover(this.#log, {
      openUnit: () => new UnitOfWork(this.#context(), { kind: 'moving' }),
      terminator: () => this.#terminatorOf(this.#provider as ProviderLike),
      assertStarted: () => this.#assertStarted(),
    })
    const units: UnitSource = {
      staging: () => this.#oneCommit.staging(),
      reading: () => this.#oneCommit.reading(),
      autocommit: (work, write) => this.#autocommit(work, write),
      failed: (error) => {
        if (isStoreUnavailable(error)) this.#oneCommit.unavailable(error)
      },
    }
    this.adapter = (model) => {
      const elsewhere = ownAdapter(own, model)
      if (!elsewhere && !isModelName(model))
        throw new OptionInvalidError('model', `must be the name of a class, such as Ticket: ${JSON.stringify(model)}`)
      const adapter = (elsewhere ?? new ModelAdapter(model, units)) as ProviderAdapter
      this.#adapters.add(adapter)
      return adapter
    }
  }

  /**
   * The provider's configuration with the adapter and what the plugins need.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`) where the configuration contradicts that
   */
  configure(configuration: ConfigurationWithoutAdapter): Configuration {
    if (typeof configuration !== 'object' || configuration === null)
      throw new OptionInvalidError('configuration', "must be given: oidc-provider's configuration, as an object")
    if ('adapter' in configuration && configuration.adapter !== undefined) {
      throw new OptionInvalidError('adapter', 'is set by configure(): leave it out')
    }
    const { renderError } = configuration
    if (typeof renderError === 'function') this.#errorPage = renderError as unknown as ErrorPage
    let complete = configuration
    for (const plugin of this.#plugins) complete = plugin.configure?.(complete) ?? complete
    this.#isConfigured = true
    return { ...complete, adapter: this.adapter as unknown as NonNullable<Configuration['adapter']> }
  }

  /**
   * Makes every request of the provider one commit, at once, and starts the plugins. Call it before `callback()`,
   * `listen()` or mounting, and before other middleware is added to the provider, so that nothing is sent before the
   * commit. Requests that arrive before the plugins have started wait for them, for at most 10 s. Idempotent.
   *
   * @throws ProviderUnfitError (`PROVIDER_UNFIT`) when this is not a provider, another one than before, one that answers
   *   requests already, or one whose models are kept elsewhere; and whatever the plugins throw: it may be called again
   */
  start(provider: ProviderLike): Promise<void> {
    try {
      this.#attach(provider)
    } catch (error) {
      return Promise.reject(error)
    }
    this.#started ??= this.#startAfterStop(provider)
    return this.#started
  }

  #startAfterStop(provider: ProviderLike): Promise<void> {
    const stopping = this.#stopping
    const started = this.#gate.openAfter(async () => {
      await stopping?.catch(() => undefined)
      await this.#start(provider)
    })
    started.catch(() => {
      if (this.#started === started) this.#started = undefined // it may go better the next time
    })
    return started
  }

  async #start(provider: ProviderLike): Promise<void> {
    try {
      const host = {
        store: this.#store,
        accountKeys: this.#log.accountKeys,
        provider,
        clock: this.#clock,
        logger: this.#hostLogger,
        heartbeat: this.#heartbeat,
        terminator: this.#terminatorOf(provider),
        features: this.features,
        operators: this.#operators,
        telemetry: this.#telemetry,
      }
      if (this.#plugins.length > 0) await this.#operators.start() // only plugins use it
      for (const plugin of this.#plugins) {
        await plugin.start(host)
        this.#running.push(plugin)
      }
      this.#retention.start()
      const gone = new GoneSeries()
      this.#endOfGauges = this.#telemetry.observe(() => logGauges(this.#store, this.#retention, this.#clock, gone))
    } catch (error) {
      await this.#stopRunning()
      throw error
    }
  }

  #terminatorOf({ issuer }: ProviderLike): SessionTerminator {
    const context = { ...this.#context(), meta: { instance: issuer } }
    return new UnitSessionTerminator(this.#log, (cause) => new UnitOfWork(context, { kind: 'ending', cause }))
  }

  async #endSession(uid: string, cause: Cause): Promise<void> {
    if (this.#provider) await this.#terminatorOf(this.#provider).end(uid, { cause, grants: 'sessionBound' })
  }

  #attach(provider: ProviderLike): void {
    if (this.#provider !== undefined && this.#provider === provider) return
    if (this.#provider)
      throw new ProviderUnfitError('this was started with another provider: make one eventSourced() for each')
    assertProvider(provider, (adapter) => this.#adapters.has(adapter))
    if (!this.#isConfigured && this.#plugins.some(({ configure }) => configure !== undefined)) {
      throw new ProviderUnfitError(
        'the plugins have not seen the configuration: make the provider with what configure() returns, ' +
          'new Provider(issuer, op.configure(configuration))',
      )
    }
    this.#provider = provider
    this.#issuers = [provider.issuer, ...this.#formerIssuers]
    if (this.#plugins.length === 0) this.#gate.open()
    provider.use(this.#gate.middleware)
    provider.use(this.#oneCommit.middleware)
    for (const { middleware } of this.#plugins) if (middleware) provider.use(middleware)
  }

  /**
   * What became of a token, a code, a session's cookie value, uid or sid, a user code, a client or a grant: whether it was
   * stored, when, and what used, rotated, revoked or ended it. For operators who look into a `SessionNotFound` or an
   * `invalid_grant`. The answer holds nothing secret, and what is asked for is kept nowhere. Needs no started provider.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`), StoreUnavailableError (`STORE_UNAVAILABLE`)
   */
  async explain(thing: string): Promise<Explanation> {
    if (typeof thing !== 'string' || thing === '')
      throw new OptionInvalidError('thing', 'must be a token, a code or an id, as text')
    return explain({ store: this.#store, clock: this.#clock, issuers: this.#issuers }, thing)
  }

  /**
   * Forgets an account for good: its sessions and grants end, RPs are told, and the key is destroyed that everything of it
   * in the log is sealed with. What remains are counts, times and pseudonyms. See to it first that nobody can log in to it.
   * It waits some seconds for requests that were under way. Where it fails on the way, call it again.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`), ProviderUnfitError (`PROVIDER_UNFIT`) before `start()` has succeeded
   * @throws ErasureUnfinishedError (`ERASURE_UNFINISHED`), AccountKeyMisnamedError (`ACCOUNT_KEY_MISNAMED`), and whatever
   * the store throws
   */
  async forget(accountId: string, options: ForgetOptions): Promise<ForgetReport> {
    assertForget(accountId, options)
    if (!this.#gate.isOpen || !this.#provider)
      throw new ProviderUnfitError('an account is forgotten by a started provider: call start() first, and await it')
    const { actor, signal } = options
    const end = async (dryRun: boolean): Promise<number> => {
      const how = { actor, dryRun, ...(signal && { signal }) }
      let ended = 0
      for (const plugin of this.#running) ended += (await plugin.endAccount?.(accountId, how)) ?? 0
      return ended
    }
    const issuers = [this.#provider.issuer, ...this.#formerIssuers] as const
    const { accountKeys } = this.#log
    return forgetAccount({ store: this.#store, accountKeys, clock: this.#clock, issuers, end }, accountId, options)
  }

  /**
   * Has what lives depend on the newest keys alone, so that former ones can be removed; or counts what that would be. Runs
   * beside the requests, may be stopped and repeated. Needs no started provider.
   *
   * @throws whatever the store throws: a next call does the rest
   */
  rekey(options: RekeyOptions = {}): Promise<RekeyReport> {
    const work = this.#plugins.flatMap((plugin) => plugin.work ?? [])
    return rekeyLog({ store: this.#store, clock: this.#clock, work }, options)
  }

  /**
   * Stops the plugins and waits until they have stopped; `start()` starts them again. Requests go on being one commit
   * each. The store stays open.
   */
  stop(): Promise<void> {
    const [started, before] = [this.#started, this.#stopping]
    this.#started = undefined
    this.#stopping = (async () => {
      await before?.catch(() => undefined)
      await started?.catch(() => undefined)
      await this.#stopRunning()
    })()
    return this.#stopping
  }

  async #stopRunning(): Promise<void> {
    this.#endOfGauges?.()
    this.#endOfGauges = undefined
    const retention = this.#retention.stop()
    const operators = this.#operators.stop()
    // Only those that were started here: a plugin that refused to start may run for another provider.
    for (const plugin of this.#running.splice(0).reverse()) await plugin.stop()
    await Promise.all([operators, retention])
  }

  #context(): UnitContext {
    return {
      log: this.#log,
      clock: this.#clock,
      meta: this.#provider ? { instance: this.#provider.issuer } : {},
      recentSessions: this.#recentSessions,
      observers: this.#plugins.flatMap(({ observer }) => (observer ? [observer] : [])),
      writeTurns: this.#writeTurns,
      endSession: (uid, cause) => this.#endSession(uid, cause),
    }
  }

  #assertStarted(): void {
    if (this.#gate.isOpen) return
    throw new ProviderUnfitError('moving in or out needs the provider: call start() first, and await it')
  }

  /** One call of the adapter that no open unit of work takes: a commit of its own. */
  async #autocommit<T>(work: (unit: UnitOfWork) => Promise<T>, write?: AutocommitWrite): Promise<T> {
    this.#assertInFront()
    if (write) this.#assertWritable(write)
    const unit = new UnitOfWork(this.#context(), { kind: 'application' })
    const result = await work(unit)
    try {
      await unit.commit()
    } catch (error) {
      const model = error instanceof AlreadyClaimedError ? unit.modelOf(error.mark) : undefined
      throw model === undefined ? error : asProviderError(usedUp(model), error)
    }
    return result
  }

  #assertWritable({ model, id, payload }: AutocommitWrite): void {
    if (!this.#provider && (model === 'Session' || (this.#isConfigured && isWrittenByRequests(model, payload)))) {
      this.#logOnce(
        'provider_not_started',
        'a request came before start(): nobody can log in or out, and no plugin runs. Call `await op.start(provider)` before listen(), callback() or mounting',
      )
    }
    if (model === 'Session' && !this.#gate.isOpen) {
      throw new ProviderUnfitError(
        this.#provider
          ? 'a session can be written only when start() has succeeded: await it'
          : 'a session can be written only after start(): without the unit of work its rotation would look like its end',
      )
    }
    if (id === undefined || this.#outsideLogged.has(model) || this.#oneCommit.isAround()) return
    if (!this.#oneCommit.isReadByRequest(model, id)) return
    this.#outsideLogged.add(model)
    this.#logger.warn(
      { event: 'write_outside_request', model },
      `a ${model} was written outside of a request that has read it: a commit of its own. Where a hook of the provider does this, its async context is lost on the way (a callback or an event that another context calls)`,
    )
  }

  /** A problem of all requests is logged once. */
  #logOnce(event: string, message: string): void {
    if (this.#logged.has(event)) return
    this.#logged.add(event)
    this.#logger.error({ event }, message)
  }

  /**
   * A provider whose requests do not come through the middleware would have its sessions ended by each rotation: Koa
   * takes its middleware when `callback()` or `listen()` is called, and `start()` came later. All providers of a process
   * share the context that is asked for: a request of another one is none of this one's.
   */
  #assertInFront(): void {
    const { ctx } = (this.#provider?.constructor ?? {}) as { ctx?: { oidc?: { route?: string; provider?: unknown } } }
    if (ctx?.oidc?.route === undefined || ctx.oidc.provider !== this.#provider || this.#oneCommit.isAround()) return
    const problem =
      'a request did not come through the unit of work: call start() before callback(), listen() or mounting the provider'
    this.#logOnce('start_too_late', problem)
    throw new ProviderUnfitError(problem)
  }
}

/** What the plugins' own options say of the features that they bring. */
function configuredFeatures(plugins: readonly Plugin[]): Partial<Record<Feature, boolean>> {
  return Object.assign({}, ...plugins.map(({ features }) => features))
}
