import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ClientMetadata } from 'oidc-provider'
import { type LogoutToken, verifyLogoutToken } from '../../plugins/back-channel-logout-receiver/index.ts'
import { leaks } from './leak-check.ts'
import { testClient } from './op.ts'

/** How an RP answers a logout token. */
export type Behaviour = (token: string, response: ServerResponse, request: IncomingMessage) => void | Promise<void>

/** An RP that is told of logouts: it notes what arrives, and answers as the test wants. */
export interface RelyingParty {
  readonly clientId: string
  readonly uri: string
  readonly metadata: ClientMetadata
  /** Tokens in the order of their arrival, as they came. */
  readonly tokens: readonly string[]
  /** From now on it answers so; default: 200. */
  behave(behaviour: Behaviour): void
  /** Resolves when so many tokens have arrived in all. */
  received(count: number): Promise<readonly string[]>
  /** The token, checked as an RP has to. */
  verify(token: string, issuer: string): Promise<LogoutToken>
  stop(): Promise<void>
}

/** Starts one. Its client's other metadata may be given. */
export async function startRp(clientId: string, more: Partial<ClientMetadata> = {}, port = 0): Promise<RelyingParty> {
  const tokens: string[] = []
  const waiting: { readonly count: number; readonly resolve: () => void }[] = []
  let behaviour: Behaviour = (_token, response) => void response.writeHead(200).end()
  const server = createServer((request, response) => {
    void (async () => {
      let body = ''
      for await (const chunk of request) body += String(chunk)
      const token = new URLSearchParams(body).get('logout_token') ?? ''
      tokens.push(token)
      leaks.secret(token, 'a logout token')
      leaks.secret(token.split('.')[2], 'the signature of a logout token')
      for (const { count, resolve } of waiting) if (tokens.length >= count) resolve()
      await behaviour(token, response, request)
    })()
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/backchannel-logout`
  return {
    clientId,
    uri,
    metadata: testClient(clientId, { backchannel_logout_uri: uri, backchannel_logout_session_required: true, ...more }),
    tokens,
    behave(next) {
      behaviour = next
    },
    async received(count) {
      if (tokens.length < count) await new Promise<void>((resolve) => waiting.push({ count, resolve }))
      return tokens
    },
    verify: (token, issuer) => verifyLogoutToken(token, { issuer, audience: clientId, jwks: new URL('/jwks', issuer) }),
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
