import type { Context } from 'koa'
import type { ClientMetadata, Provider } from 'oidc-provider'
import {
  type AccountSessions,
  accountSessions,
  type LoginRequest,
  type SignedIn,
} from 'oidc-provider-eventstore/plugins/account-sessions'
import type { BackChannelLogout } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { trusted } from '../pages/html.ts'
import { layout } from '../pages/layout.ts'
import type { Place } from '../settings.ts'
import { deviceName } from './device-name.ts'

/** Under which the OP itself sends users to its login, for its own pages. */
export const OWN_CLIENT = 'op-account'

/** Where users see their devices and apps. */
export const DEVICES = '/account/sessions'

/** It asks for nothing but that somebody logs in (OAuth 2.0 Multiple Response Types section 4: `none`). */
export function ownClient(op: Place): ClientMetadata {
  return {
    client_id: OWN_CLIENT,
    client_name: 'your account',
    response_types: ['none'],
    grant_types: [],
    token_endpoint_auth_method: 'none',
    redirect_uris: [`${op.origin}${DEVICES}/`],
  }
}

/** My devices and connected apps, in the example's look. */
export function devices(
  logout: BackChannelLogout,
  provider: () => Provider,
  op: Place,
  places: readonly Place[],
): AccountSessions<Context> {
  return accountSessions<Context>({
    logout,
    basePath: DEVICES,
    origin: op.origin,
    ownClients: [OWN_CLIENT],
    authenticate: (ctx) => signedIn(provider(), ctx),
    login: (_ctx, request) => loginUrl(provider().issuer, op, request),
    describe: ({ ip, headers }) => ({
      ...(ip !== undefined && { ip }),
      label: deviceName(headers['user-agent']),
    }),
    layout: ({ title, main, stylesheet, script }) =>
      layout({ app: 'op', places, title, main: trusted(main), stylesheet, script }).toString(),
  })
}

/** Whoever has a session at the OP in this browser: its cookie says so, as it says it to the provider. */
async function signedIn(provider: Provider, ctx: Context): Promise<SignedIn | undefined> {
  const { accountId, uid, loginTs } = await provider.Session.get(ctx)
  if (accountId === undefined || loginTs === undefined) return undefined
  return { accountId, sessionUid: uid, authenticatedAt: loginTs * 1_000 }
}

function loginUrl(issuer: string, op: Place, { reason }: LoginRequest): string {
  const query = new URLSearchParams({
    client_id: OWN_CLIENT,
    response_type: 'none',
    scope: 'openid',
    redirect_uri: `${op.origin}${DEVICES}/`,
    ...(reason === 'login_not_recent' && { prompt: 'login' }),
  })
  return `${issuer}/auth?${query}`
}
