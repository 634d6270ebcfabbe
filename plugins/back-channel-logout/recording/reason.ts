import type { Payload, RequestContext } from '../../../lib/index.ts'
import type { Reason } from '../reasons.ts'

/** Why a whole session ended, from the request in which its state went. */
export function reasonOfEnd(before: Payload, request: RequestContext | undefined): Reason {
  if (request?.oidc?.route !== 'end_session_confirm') return 'session_destroyed'
  return isAccountSwitch(before, request) ? 'account_switched' : 'rp_initiated'
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
function isAccountSwitch(before: Payload, request: RequestContext): boolean {
  const { postLogoutRedirectUri } = logoutState(before)
  if (postLogoutRedirectUri === undefined) return false
  const uid = postLogoutRedirectUri.slice(postLogoutRedirectUri.lastIndexOf('/') + 1)
  return uid !== '' && ['resume', 'device_resume'].some((route) => urlOf(request, route, uid) === postLogoutRedirectUri)
}

/** As the request names it, which is how the URI was made: the issuer may have another host, and no mount path. */
function urlOf({ oidc }: RequestContext, route: string, uid: string): string | undefined {
  const { urlFor } = oidc as { urlFor?: (route: string, params: { readonly uid: string }) => string }
  try {
    return urlFor?.call(oidc, route, { uid })
  } catch {
    return undefined // the provider has no such route: the feature is off
  }
}

function logoutState({ state }: Payload): { readonly clientId?: string; readonly postLogoutRedirectUri?: string } {
  return typeof state === 'object' && state !== null ? state : {}
}
