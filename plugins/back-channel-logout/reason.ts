import type { Payload, RequestContext } from '../../lib/index.ts'
import type { OidcProvider } from './provider-internals.ts'
import type { Reason } from './session-logout-events.ts'

/** Why a whole session ended, from the request in which its state went. */
export function reasonOfEnd(provider: OidcProvider, before: Payload, request: RequestContext | undefined): Reason {
  if (request?.oidc?.route !== 'end_session_confirm') return 'session_destroyed'
  return isAccountSwitch(provider, before) ? 'account_switched' : 'rp_initiated'
}

/** Why single logins went while the session lives on. */
export function reasonOfRemoval(request: RequestContext | undefined): Reason {
  return request?.oidc?.route === 'end_session_confirm' ? 'rp_initiated' : 'authorization_removed'
}

/** The client on whose behalf the user was asked, if there was one. */
export function askingClient(before: Payload): string | undefined {
  const { clientId } = logoutState(before)
  return clientId
}

/**
 * When another account logs in in the same browser, oidc-provider ends the old session on the way: it posts itself to
 * `end_session_confirm`, and goes on to where the login was to be resumed.
 */
function isAccountSwitch(provider: OidcProvider, before: Payload): boolean {
  const { postLogoutRedirectUri } = logoutState(before)
  if (postLogoutRedirectUri === undefined) return false
  return ['authorization', 'code_verification'].some((route) => startsBelow(provider, route, postLogoutRedirectUri))
}

function startsBelow(provider: OidcProvider, route: string, uri: string): boolean {
  try {
    return uri.startsWith(`${provider.urlFor(route)}/`)
  } catch {
    return false // the provider has no such route: the feature is off
  }
}

function logoutState({ state }: Payload): { readonly clientId?: string; readonly postLogoutRedirectUri?: string } {
  return typeof state === 'object' && state !== null ? state : {}
}
