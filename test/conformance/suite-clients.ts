import { randomBytes } from 'node:crypto'
import type { ClientMetadata } from 'oidc-provider'
import { secretFile } from '../../example/secret-file.ts'

/** Where the suite's own RPs are. */
export interface SuitePlace {
  /** Where browsers and the OP reach it. */
  readonly baseUrl: string
  /** Part of its addresses: one run at a time has it. */
  readonly alias: string
}

/** Which client is for what, as the suite's configuration names them. */
const METHODS = {
  client: 'client_secret_basic',
  client_secret_post: 'client_secret_post',
  client2: 'client_secret_basic',
} as const
type ClientName = keyof typeof METHODS
const NAMES = Object.keys(METHODS) as ClientName[]

/** Made at the first use, and kept in the folder, where the OP and the runner both find them. */
export function clientSecrets(folder: string): Promise<Readonly<Record<ClientName, string>>> {
  const secret = (): string => randomBytes(32).toString('base64url')
  return secretFile(folder, 'conformance-clients.json', () => ({
    client: secret(),
    client_secret_post: secret(),
    client2: secret(),
  }))
}

/** The suite's RPs as the OP knows them. The addresses are those that the suite's modules ask to be registered. */
export async function suiteClients({ baseUrl, alias }: SuitePlace, folder: string): Promise<ClientMetadata[]> {
  const secrets = await clientSecrets(folder)
  const at = `${baseUrl}/test/a/${encodeURIComponent(alias)}`
  return NAMES.map((name) => ({
    ...{ client_id: idOf(name), client_secret: secrets[name], token_endpoint_auth_method: METHODS[name] },
    redirect_uris: [`${at}/callback`],
    post_logout_redirect_uris: [`${at}/post_logout_redirect`],
    backchannel_logout_uri: `${at}/backchannel_logout`,
    backchannel_logout_session_required: true,
    grant_types: ['authorization_code', 'refresh_token'],
  }))
}

/** What the suite is told: where the OP is, and as which clients it is there. */
export async function suiteConfiguration(issuer: string, { alias }: SuitePlace, folder: string): Promise<object> {
  const secrets = await clientSecrets(folder)
  const clients = NAMES.map((name) => [name, { client_id: idOf(name), client_secret: secrets[name] }] as const)
  return {
    alias,
    description: 'oidc-provider-eventstore: the example',
    server: { discoveryUrl: `${issuer}/.well-known/openid-configuration`, login_hint: 'alice' },
    ...Object.fromEntries(clients),
  }
}

function idOf(name: ClientName): string {
  return `conformance-${name.replaceAll('_', '-')}`
}
