import {
  AlreadyClaimedError,
  type EventStoreError,
  OutcomeUnknownError,
  SessionChangedError,
  StoreClosedError,
  StoreRefusedError,
  StoreUnavailableError,
} from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { KeyRing } from '../secrets/key-ring.ts'
import { answered, type Headers, headersOf, type PageParts, refuse, repeat, reset, restoreCookies } from './answers.ts'
import type { Refusal } from './refusals.ts'
import { replayed, usedUp } from './refusals.ts'
import type { RequestContext } from './request-context.ts'
import { RequestStorage } from './request-storage.ts'
import type { UnitOfWork } from './unit-of-work.ts'

/** What a request runs in. Emptied when its unit closes: contexts leak into timers and sockets. */
interface Slot {
  unit: UnitOfWork | undefined
  ctx: RequestContext | undefined
  /** Set when a read failed for want of the store: the provider answers 500, the truth is 503. */
  unavailable: unknown
}

/**
 * Routes whose writes must be stored before they end. The development interactions end the response themselves, and the
 * browser would arrive at `resume` before the result; CIBA triggers a device and pings a client inside the request.
 */
const WRITES_AT_ONCE: ReadonlySet<string> = new Set(['submit', 'abort', 'backchannel_authentication'])

/** While the store is away. Nothing of the request has happened; a client waits for 2 seconds. */
const UNAVAILABLE: Refusal = {
  status: 503,
  error: 'temporarily_unavailable',
  description: 'the service is not available for the moment, please try again',
  headers: { 'Retry-After': '2' },
}

/** Without Retry-After: a request that is sent again may take effect twice. */
const UNKNOWN: Refusal = {
  status: 500,
  error: 'server_error',
  description: 'the service did not learn in time whether the request took effect: it may have',
}

type Middleware = (ctx: RequestContext, next: () => Promise<unknown>) => Promise<void>

/** What requests are committed with. */
export interface OneCommitParts extends PageParts {
  readonly open: (ctx: RequestContext) => UnitOfWork
  readonly keys: KeyRing
  readonly logger: Logger
}

/**
 * One request, one commit. The middleware opens a unit of work around the provider's own and commits it before anything
 * is sent, whatever the answer is: reuse detection revokes, then refuses. When the commit fails nothing of the request
 * has happened, and the answer says so.
 */
export class OneCommit {
  readonly #slots = new RequestStorage<Slot>()
  readonly #parts: OneCommitParts
  readonly #openUnits = new Set<UnitOfWork>()

  constructor(parts: OneCommitParts) {
    this.#parts = parts
  }

  /** The unit that writes may be staged in: the request is the provider's own, and its unit is open. */
  staging(): UnitOfWork | undefined {
    const route = this.#route()
    return route !== undefined && !WRITES_AT_ONCE.has(route) ? this.#slots.getStore()?.unit : undefined
  }

  /** The unit that remembers what the request has read: also where writes are not staged. */
  reading(): UnitOfWork | undefined {
    return this.#route() === undefined ? undefined : this.#slots.getStore()?.unit
  }

  /** Whether the current request came through the middleware, be its unit open or closed. */
  isAround(): boolean {
    return this.#slots.getStore() !== undefined
  }

  /** Whether a request that is still running has read this instance. */
  isReadByRequest(model: string, id: string): boolean {
    for (const unit of this.#openUnits) if (unit.hasRead(model, id)) return true
    return false
  }

  #route(): string | undefined {
    return this.#slots.getStore()?.ctx?.oidc?.route
  }

  /** Remembers that the store could not be read in this request. */
  unavailable(error: unknown): void {
    const slot = this.#slots.getStore()
    if (slot) slot.unavailable = error
  }

  readonly middleware: Middleware = async (ctx, next) => {
    const unit = this.#parts.open(ctx)
    const slot: Slot = { unit, ctx, unavailable: undefined }
    const before = headersOf(ctx)
    this.#openUnits.add(unit)
    let thrown: { readonly error: unknown } | undefined
    try {
      await this.#slots.run(slot, next)
    } catch (error) {
      thrown = { error }
    }
    this.#openUnits.delete(unit)
    // A plugin's own answer needs the store, too.
    if (thrown && isStoreUnavailable(thrown.error)) slot.unavailable ??= thrown.error
    const replaced = await this.#close(slot, unit, ctx, before, thrown !== undefined)
    if (replaced) return
    if (slot.unavailable !== undefined && !answered(ctx)) await this.#answerUnavailable(ctx, before, slot.unavailable)
    else if (thrown) throw thrown.error
  }

  /** Commits, or drops what would only half help. True: the commit failed, and the answer says so now. */
  async #close(slot: Slot, unit: UnitOfWork, ctx: RequestContext, before: Headers, threw: boolean): Promise<boolean> {
    const broke = threw || ctx.status >= 500 || slot.unavailable !== undefined
    slot.unit = undefined
    slot.ctx = undefined
    if (broke && !answered(ctx) && !unit.isDestructive) {
      unit.drop()
      restoreCookies(ctx, before)
      return false
    }
    try {
      await unit.commit()
      // The first submit has given its cookies out.
      if (unit.repeatsSubmit && !answered(ctx)) restoreCookies(ctx, before)
      return false
    } catch (error) {
      await this.#fail(unit, ctx, before, error)
      return true
    }
  }

  async #fail(unit: UnitOfWork, ctx: RequestContext, before: Headers, error: unknown): Promise<void> {
    if (answered(ctx)) {
      this.#parts.logger.error(
        { event: 'commit_failed_after_answer', err: error, ...whichOf(ctx) },
        'the commit of a request failed after the application had answered it: nothing of the request was stored',
      )
      return
    }
    if (isStoreUnavailable(error)) return this.#answerUnavailable(ctx, before, error)
    await unit
      .commitProofs()
      .catch((err) => this.#parts.logger.warn({ event: 'proof_not_stored', err }, 'a shown proof could not be stored'))
    if (error instanceof AlreadyClaimedError) return this.#lost(unit, ctx, before, error)
    if (error instanceof SessionChangedError) {
      this.#parts.logger.info(
        { event: 'request_repeated', ...whichOf(ctx), reason: error.message },
        'a request meets a newer session and is repeated',
      )
      return repeat(ctx, before)
    }
    reset(ctx, before)
    throw error
  }

  async #lost(unit: UnitOfWork, ctx: RequestContext, before: Headers, error: AlreadyClaimedError): Promise<void> {
    const model = unit.modelOf(error.mark) ?? ''
    this.#parts.logger.info(
      { event: 'race_lost', ...whichOf(ctx), model },
      'a request lost the race for something that can be used only once',
    )
    // Its own form of the refusal depends on the client and the response mode: the provider gives it at the next try.
    if (model === 'PushedAuthorizationRequest') repeat(ctx, before)
    else
      await this.#refuse(
        ctx,
        before,
        model === 'ReplayDetection' ? replayed(this.#parts.keys, ctx, error.mark) : usedUp(model),
      )
  }

  async #answerUnavailable(ctx: RequestContext, before: Headers, error: unknown): Promise<void> {
    const unknown = error instanceof OutcomeUnknownError
    this.#parts.logger.error(
      { event: unknown ? 'outcome_unknown' : 'store_unavailable', err: error, ...whichOf(ctx) },
      unknown ? 'it is not known whether a request was stored' : 'the event store is not available',
    )
    await this.#refuse(ctx, before, unknown ? UNKNOWN : UNAVAILABLE)
  }

  #refuse(ctx: RequestContext, before: Headers, refusal: Refusal): Promise<void> {
    return refuse(ctx, before, refusal, this.#parts)
  }
}

/** Whether waiting may help: the store is away, closing, or did not say in time how it went. */
export function isStoreUnavailable(error: unknown): error is EventStoreError {
  return (
    error instanceof StoreUnavailableError ||
    error instanceof StoreClosedError ||
    error instanceof StoreRefusedError ||
    error instanceof OutcomeUnknownError
  )
}

/** Which request it was, for the log: never its URL, which may hold credentials. */
function whichOf({ method, oidc }: RequestContext): { readonly method: string; readonly route: string | undefined } {
  return { method, route: oidc?.route }
}
