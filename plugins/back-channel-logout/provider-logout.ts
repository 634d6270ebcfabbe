import { ProviderUnfitError } from '../../lib/index.ts'
import type { OidcProvider } from './provider-internals.ts'

const OUTCOMES: ReadonlySet<string> = new Set(['backchannel.success', 'backchannel.error'])

const REFUSAL =
  'client.backchannelLogout() sends nothing on the event log: end the session, and its RPs are told, by logout.terminateSession(uid, …), logout.terminateAccount(accountId, …) or logout.terminateClient(clientId, …)'

const replaced = new WeakSet<OidcProvider>()

/**
 * Replaces what oidc-provider sends itself. Its `end_session` calls `client.backchannelLogout()` for each client of the
 * session, and emits `backchannel.success` or `backchannel.error` with its context as that promise settles. Here the
 * session's end is recorded by what writes the session, and the RPs are told after the answer: the call does nothing, and
 * what would be emitted then is not true yet. It is left out; the same events, without a context, follow the RPs' answers.
 *
 * Application code that calls `client.backchannelLogout()` is refused with ProviderUnfitError (`PROVIDER_UNFIT`): nothing
 * has ended, so nobody would be told. Idempotent: a provider may be started again.
 */
export function replaceProviderLogout(provider: OidcProvider): void {
  if (replaced.has(provider)) return
  replaced.add(provider)
  provider.Client.prototype.backchannelLogout = async () => {
    if (!isEndSession(provider)) throw new ProviderUnfitError(REFUSAL)
  }
  const { emit } = provider
  provider.emit = (event, ...args) => {
    if (OUTCOMES.has(event) && args[0] !== undefined) return false
    return emit.call(provider, event, ...args)
  }
}

/** Whether this runs in the provider's own request that ends a session. All providers of a process share the context. */
function isEndSession(provider: OidcProvider): boolean {
  const { ctx } = provider.constructor as {
    readonly ctx?: { readonly oidc?: { readonly provider?: unknown; readonly route?: string } }
  }
  return ctx?.oidc?.provider === provider && ctx.oidc.route === 'end_session_confirm'
}
