import type { IncomingMessage } from 'node:http'
import { componentLogger, type Host, type Logger, type RequestContext } from '../../../lib/index.ts'
import type { OidcProvider } from '../provider-internals.ts'
import { readForm, type SingleSessionForm } from './form.ts'
import { type Hint, isSubject, readHint } from './hint.ts'
import { formOf, HEADERS, plainPage, refusalPage, type SingleSessionSource } from './page.ts'
import { sameText } from './same-text.ts'

/** What it works with. */
export interface SingleSessionParts {
  readonly host: Host
  readonly provider: OidcProvider
  /** The application's own page. */
  readonly source?: SingleSessionSource | undefined
}

/** What of the provider's context of `end_session` counts here. */
interface EndSession {
  readonly params: {
    readonly id_token_hint?: string
    readonly post_logout_redirect_uri?: string
    readonly state?: string
  }
  readonly entities: {
    readonly Client?: { readonly clientId: string }
    readonly IdTokenHint?: { readonly payload: { readonly sid?: unknown } }
  }
  readonly session: {
    readonly uid: string
    readonly state?: { readonly secret?: string }
    readonly authorizations?: Readonly<Record<string, { readonly sid?: string }>>
  }
  urlFor(route: string): string
}

/** What of Koa's context is looked at besides. */
interface KoaRequestContext extends RequestContext {
  /** Below where the provider is mounted. */
  readonly path: string
  /** `body` is there where the application has parsed it, in Express or Connect. */
  readonly req: IncomingMessage & { readonly body?: unknown }
  /** The same, in Koa. */
  readonly request: { readonly body?: unknown }
}

/** Where the page's form goes, below the provider's `end_session` endpoint. */
const SINGLE = '/single'

/**
 * The end of one session, by an ID token of it: of a session that is not the browser's own, and where the browser has
 * none. OpenID Connect RP-Initiated Logout 1.0 section 2 has the OP ask the user where the hint is not of the current
 * session: so there is a page, and a button that nothing but the user presses. Whether the session lives, nobody learns.
 */
export class SingleSession {
  readonly #parts: SingleSessionParts
  readonly #logger: Logger

  constructor(parts: SingleSessionParts) {
    this.#parts = parts
    this.#logger = componentLogger(parts.host.logger, 'single_session')
  }

  /** Answers the page's form. False: the request is another one. */
  async answers(ctx: RequestContext): Promise<boolean> {
    const { path, req, request } = ctx as KoaRequestContext
    if (ctx.method !== 'POST' || path !== this.#singlePath()) return false
    const form = await readForm(req, request.body ?? req.body)
    const refusal = form ? await this.#refusalOf(ctx, form) : 'the form is not complete'
    if (form === undefined || typeof refusal === 'string') {
      ctx.status = 400
      setHeaders(ctx)
      ctx.body = refusalPage(String(refusal))
      return true
    }
    await this.#end(refusal.hint)
    ctx.set('Cache-Control', 'no-store')
    ctx.redirect(this.#whereTo(ctx, refusal.hint, form))
    ctx.status = 303
    return true
  }

  /** Replaces the provider's page, after it was made, where the hint is not of the browser's own session. */
  async replacesPage(ctx: RequestContext): Promise<void> {
    if (ctx.oidc?.route !== 'end_session' || ctx.status !== 200) return
    const { params, entities, session, urlFor } = ctx.oidc as unknown as EndSession
    const sid = entities.IdTokenHint?.payload.sid
    const secret = session.state?.secret
    if (!entities.Client || typeof sid !== 'string' || params.id_token_hint === undefined || !secret) return
    if (await this.#isOwn(session, entities.Client.clientId, sid)) return // the provider's own page asks
    const form = formOf(`${urlFor.call(ctx.oidc, 'end_session')}${SINGLE}`, {
      xsrf: secret,
      id_token_hint: params.id_token_hint,
      post_logout_redirect_uri: params.post_logout_redirect_uri,
      state: params.state,
    })
    setHeaders(ctx)
    await (this.#parts.source ?? plainPage)(ctx, form)
  }

  /** Whether the login is, or was, one of the browser's own session: a client's older `sid` names it, too. */
  async #isOwn({ uid, authorizations }: EndSession['session'], clientId: string, sid: string): Promise<boolean> {
    if (authorizations && Object.hasOwn(authorizations, clientId) && authorizations[clientId]?.sid === sid) return true
    const { terminator } = this.#parts.host
    const name = await terminator.findBySid(sid)
    const standing = name === undefined ? undefined : await terminator.status(name)
    return standing !== undefined && 'live' in standing && standing.live.uid === uid
  }

  /** Why the form counts nothing; or what it asks for. */
  async #refusalOf(ctx: RequestContext, form: SingleSessionForm): Promise<string | { readonly hint: Hint }> {
    const { provider } = this.#parts
    const { state } = await provider.Session.get(ctx)
    if (typeof state?.secret !== 'string') return 'could not find logout details'
    if (!sameText(state.secret, form.xsrf)) return 'xsrf token invalid'
    const hint = await readHint(provider, form.id_token_hint)
    return hint ? { hint } : 'could not validate id_token_hint'
  }

  /** Ends the session that the hint names, if it lives and is that account's at that client. */
  async #end(hint: Hint): Promise<void> {
    const { terminator } = this.#parts.host
    const { clientId } = hint.client
    const name = await terminator.findBySid(hint.sid)
    const standing = name && (await terminator.status(name))
    if (!name || !standing || !('live' in standing)) return
    const { accountId } = standing.live.payload
    if (typeof accountId !== 'string' || !(await this.#isSubject(hint, accountId))) return
    await terminator.end(name, {
      cause: { reason: 'single_session', initiatingClient: clientId },
      grants: 'sessionBound',
      onlyIf: ({ payload }) => payload['accountId'] === accountId && sidAt(payload, clientId) === hint.sid,
    })
  }

  /** A subject that cannot be computed is nobody's: an error would tell that the session lives. */
  async #isSubject(hint: Hint, accountId: string): Promise<boolean> {
    try {
      return await isSubject(this.#parts.provider, hint, accountId)
    } catch (err) {
      this.#logger.error(
        { event: 'subject_not_compared', err, client_id: hint.client.clientId },
        'the subject of an id_token_hint could not be compared: pairwiseIdentifier must work without a request',
      )
      return false
    }
  }

  /** The RP's, where it is registered, as the provider does it; else the provider's own page. */
  #whereTo(ctx: RequestContext, { client }: Hint, { post_logout_redirect_uri: uri, state }: SingleSessionForm): string {
    const { provider } = this.#parts
    if (uri === undefined || !client.postLogoutRedirectUriAllowed?.(uri)) {
      return new provider.OIDCContext(ctx).urlFor('end_session_success')
    }
    const url = new URL(uri)
    if (state !== undefined) url.searchParams.set('state', state)
    return url.href
  }

  #singlePath(): string | undefined {
    try {
      return `${this.#parts.provider.pathFor('end_session', { mountPath: '' })}${SINGLE}`
    } catch {
      return undefined // RP-initiated logout is off
    }
  }
}

function sidAt(payload: Readonly<Record<string, unknown>>, clientId: string): string | undefined {
  const authorizations = payload['authorizations'] as EndSession['session']['authorizations']
  return authorizations && Object.hasOwn(authorizations, clientId) ? authorizations[clientId]?.sid : undefined
}

function setHeaders(ctx: RequestContext): void {
  for (const [field, value] of Object.entries(HEADERS)) ctx.set(field, value)
}
