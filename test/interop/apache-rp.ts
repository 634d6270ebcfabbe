import { Apache, type ApacheInstallation } from '../support/apache.ts'
import { portOutsideEphemeralRange } from '../support/free-port.ts'
import type { ForeignRp } from './foreign-rp.ts'

const CLIENT_ID = 'apache'

/** Where mod_auth_openidc keeps its sessions. */
export type SessionType = 'server-cache' | 'client-cookie'

/** Apache whose page is guarded by mod_auth_openidc. */
export async function apacheRp(
  installation: ApacheInstallation,
  sessionType: SessionType = 'server-cache',
): Promise<ForeignRp> {
  const port = await portOutsideEphemeralRange()
  const origin = `http://127.0.0.1:${port}`
  const redirectUri = `${origin}/openid`
  const page = `${origin}/mine.html`
  let apache: Apache | undefined
  return {
    clientId: CLIENT_ID,
    port,
    metadata: {
      redirect_uris: [redirectUri],
      post_logout_redirect_uris: [`${origin}/`],
      token_endpoint_auth_method: 'client_secret_basic',
    },
    backChannelPath: '/openid?logout=backchannel',
    page,
    logout: `${redirectUri}?${new URLSearchParams({ logout: `${origin}/` })}`,
    confirms: 200,
    login: (issuer) => `${redirectUri}?${new URLSearchParams({ iss: issuer, target_link_uri: page })}`,
    async start(issuer, clientSecret) {
      apache = await Apache.start(installation, {
        port,
        modules: ['auth_openidc', 'dir', 'filter', 'include'],
        directives: `${openid(issuer, clientSecret, redirectUri)}\nOIDCSessionType ${sessionType}`,
        files: { 'index.html': 'You are nobody', 'mine.html': 'You are <!--#echo var="REMOTE_USER" -->' },
      })
    },
    async stop() {
      await apache?.stop()
    },
  }
}

function openid(issuer: string, clientSecret: string, redirectUri: string): string {
  return `
OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration
OIDCClientID ${CLIENT_ID}
OIDCClientSecret ${clientSecret}
OIDCRedirectURI ${redirectUri}
OIDCCryptoPassphrase passphrase-of-the-tests
OIDCRemoteUserClaim sub
# Node's fetch says Sec-Fetch-Mode: cors, which no browser does that follows a link.
OIDCUnAuthAction auth true
<Location /openid>
  AuthType openid-connect
  Require valid-user
</Location>
<Location /mine.html>
  AuthType openid-connect
  Require valid-user
  Options +Includes
  SetOutputFilter INCLUDES
</Location>`
}
