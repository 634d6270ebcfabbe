import type { ClientMetadata, Configuration } from 'oidc-provider'
import { rpSecrets } from '../rp/secrets.ts'
import type { Place, RpId, Settings } from '../settings.ts'
import { findAccount } from './accounts.ts'
import { ownClient } from './devices.ts'
import { loggedOutPage, logoutPage, providerFailurePage } from './provider-pages.ts'
import type { OpSecrets } from './secrets.ts'

const MINUTE = 60
const HOUR = 60 * MINUTE

/** oidc-provider's configuration, as it would be on any adapter. */
export async function configuration(settings: Settings, { cookieKeys, jwks }: OpSecrets): Promise<Configuration> {
  const places = [settings.op, ...settings.rps]
  return {
    clients: [
      ...(await Promise.all(settings.rps.map((rp) => client(rp, settings.stateFolder)))),
      ownClient(settings.op),
    ],
    jwks,
    findAccount,
    claims: { openid: ['sub'], profile: ['name'] },
    scopes: ['openid', 'profile'],
    responseTypes: ['code', 'none'], // the second for the OP's own pages
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    cookies: {
      keys: [...cookieKeys],
      names: { session: 'op.session', interaction: 'op.interaction', resume: 'op.resume' },
    },
    ttl: {
      AccessToken: 10 * MINUTE,
      AuthorizationCode: MINUTE,
      Grant: 24 * HOUR,
      IdToken: 10 * MINUTE,
      Interaction: 10 * MINUTE,
      Session: 24 * HOUR,
    },
    features: {
      devInteractions: { enabled: false }, // interactions.ts has the real ones
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => logoutPage(ctx, form, places),
        postLogoutSuccessSource: (ctx) => loggedOutPage(ctx, places),
      },
    },
    renderError: (ctx, out) => providerFailurePage(ctx, out, places),
  }
}

async function client({ id, name, origin }: Place<RpId>, stateFolder: string): Promise<ClientMetadata> {
  const { clientSecret } = await rpSecrets(stateFolder, id)
  return {
    client_id: id,
    client_secret: clientSecret,
    client_name: name,
    redirect_uris: [`${origin}/callback`],
    post_logout_redirect_uris: [`${origin}/`],
    // The one line that has the RP told of logouts. That its ID tokens carry a `sid` is the plugin's default.
    backchannel_logout_uri: `${origin}/backchannel-logout`,
  }
}
