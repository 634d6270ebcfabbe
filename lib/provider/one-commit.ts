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
import { type Refusal, replayed, usedUp } from './refusals.ts'
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

/** How long a client should wait while the store is away, in seconds. */
const RETRY_AFTER_SECONDS = '2'

type Middleware = (ctx: RequestContext, next: () => Promise<unknown>) => Promise<void>

/**
 * One request, one commit. The middleware opens a unit of work around the provider's own and commits it before anything
 * is sent, whatever the answer is: reuse detection revokes, then refuses. When the commit fails nothing of the request
 * has happened, and the answer says so.
 */
export class OneCommit {
  readonly #slots = new RequestStorage<Slot>()
  readonly #open: (ctx: RequestContext) => UnitOfWork
  readonly #keys: KeyRing
  readonly #logger: Logger

  constructor(open: (ctx: RequestContext) => UnitOfWork, keys: KeyRing, logger: Logger) {
    this.#open = open
    this.#keys = keys
    this.#logger = logger
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

  #route(): string | undefined {
    return this.#slots.getStore()?.ctx?.oidc?.route
  }

  /** Remembers that the store could not be read in this request. */
  unavailable(error: unknown): void {
    const slot = this.#slots.getStore()
    if (slot) slot.unavailable = error
  }

  readonly middleware: Middleware = async (ctx, next) => {
    const slot: Slot = { unit: this.#open(ctx), ctx, unavailable: undefined }
    const before = headersOf(ctx)
    let thrown: { readonly error: unknown } | undefined
    try {
      await this.#slots.run(slot, next)
    } catch (error) {
      thrown = { error }
    }
    // A plugin's own answer needs the store, too.
    if (thrown && isUnavailable(thrown.error)) slot.unavailable ??= thrown.error
    const replaced = await this.#close(slot, ctx, before, thrown !== undefined)
    if (replaced) return
    if (slot.unavailable !== undefined && !answered(ctx)) this.#answerUnavailable(ctx, before, slot.unavailable)
    else if (thrown) throw thrown.error
  }

  /** Commits, or drops what would only half help. True: the commit failed, and the answer says so now. */
  async #close(slot: Slot, ctx: RequestContext, before: Headers, threw: boolean): Promise<boolean> {
    const unit = slot.unit as UnitOfWork
    const broke = threw || ctx.status >= 500 || slot.unavailable !== undefined
    slot.unit = undefined
    slot.ctx = undefined
    if (broke && !answered(ctx) && !unit.takesAway) {
      restoreCookies(ctx, before)
      return false
    }
    try {
      await unit.commit()
      return false
    } catch (error) {
      await this.#fail(unit, ctx, before, error)
      return true
    }
  }

  async #fail(unit: UnitOfWork, ctx: RequestContext, before: Headers, error: unknown): Promise<void> {
    if (answered(ctx)) {
      this.#logger.error(
        { err: error, ...whichOf(ctx) },
        'the commit of a request failed after the application had answered it: nothing of the request was stored',
      )
      return
    }
    if (isUnavailable(error)) return this.#answerUnavailable(ctx, before, error)
    await unit.commitProofs().catch((err) => this.#logger.warn({ err }, 'a shown proof could not be stored'))
    if (error instanceof AlreadyClaimedError) return this.#lost(unit, ctx, before, error)
    if (error instanceof SessionChangedError) {
      this.#logger.info({ ...whichOf(ctx), why: error.message }, 'a request meets a newer session and is repeated')
      return repeat(ctx, before)
    }
    reset(ctx, before)
    throw error
  }

  #lost(unit: UnitOfWork, ctx: RequestContext, before: Headers, error: AlreadyClaimedError): void {
    const model = unit.modelOf(error.mark) ?? ''
    this.#logger.info({ ...whichOf(ctx), model }, 'a request lost the race for something that can be used only once')
    // Its own form of the refusal depends on the client and the response mode: the provider gives it at the next try.
    if (model === 'PushedAuthorizationRequest') repeat(ctx, before)
    else refuse(ctx, before, model === 'ReplayDetection' ? replayed(this.#keys, ctx, error.mark) : usedUp(model))
  }

  #answerUnavailable(ctx: RequestContext, before: Headers, error: unknown): void {
    this.#logger.error({ err: error, ...whichOf(ctx) }, 'the event store is not available')
    refuse(ctx, before, {
      status: 503,
      error: 'temporarily_unavailable',
      description: 'the service is not available for the moment, please try again',
      headers: { 'Retry-After': RETRY_AFTER_SECONDS },
    })
  }
}

/** Whether waiting may help: the store is away, closing, or did not say in time how it went. */
export function isUnavailable(error: unknown): error is EventStoreError {
  return (
    error instanceof StoreUnavailableError ||
    error instanceof StoreClosedError ||
    error instanceof StoreRefusedError ||
    error instanceof OutcomeUnknownError
  )
}

type Headers = RequestContext['response']['headers']

/** As they are now: the cookies that a request sets are pushed into the list that was there. */
function headersOf({ response }: RequestContext): Headers {
  return Object.fromEntries(
    Object.entries(response.headers).map(([field, value]) => [field, Array.isArray(value) ? [...value] : value]),
  )
}

/** Which request it was, for the log: never its URL, which may hold credentials. */
function whichOf({ method, oidc }: RequestContext): { readonly method: string; readonly route: string | undefined } {
  return { method, route: oidc?.route }
}

/** Whether the application has sent the answer itself. A client that hung up has got none. */
function answered(ctx: RequestContext): boolean {
  return ctx.headerSent || ctx.respond === false
}

/** What says who may read the answer is true of any answer. */
const KEPT = /^(access-control-|vary$|dpop-nonce$|oauth-client-attestation-challenge$)/

/** Takes back what the request wanted to answer; what outer middleware had set stays. */
function reset(ctx: RequestContext, before: Headers): void {
  for (const field of Object.keys(ctx.response.headers)) {
    if (!(field in before) && !KEPT.test(field.toLowerCase())) ctx.remove(field)
  }
  for (const [field, value] of Object.entries(before)) {
    if (value !== undefined && !KEPT.test(field.toLowerCase()))
      ctx.set(field, Array.isArray(value) ? [...value] : String(value))
  }
}

function restoreCookies(ctx: RequestContext, before: Headers): void {
  const cookies = before['set-cookie']
  if (cookies === undefined) ctx.remove('set-cookie')
  else ctx.set('set-cookie', Array.isArray(cookies) ? [...cookies] : String(cookies))
}

function refuse(ctx: RequestContext, before: Headers, { status, error, description, headers = {} }: Refusal): void {
  reset(ctx, before)
  ctx.status = status
  ctx.body = { error, error_description: description }
  ctx.set('Cache-Control', 'no-store')
  for (const [field, value] of Object.entries(headers)) ctx.set(field, value)
}

/** The browser repeats the request and meets the new state (RFC 9110 sections 15.4.4 and 15.4.8). */
function repeat(ctx: RequestContext, before: Headers): void {
  reset(ctx, before)
  ctx.redirect(ctx.originalUrl.replace(/^\/+/, '/')) // never a scheme-relative URL
  ctx.status = ctx.method === 'POST' ? 307 : 303
  ctx.set('Cache-Control', 'no-store')
}
