import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeJwt } from 'jose'
import type { ClientMetadata } from 'oidc-provider'
import { testClient } from '../support/op.ts'

/** An RP that answers at once, or never, and counts what it got. */
export interface CountingRp {
  readonly metadata: ClientMetadata
  /** How many tokens it got. */
  readonly tokens: number
  /** How many logins they are for. */
  readonly logins: number
  /** Resolves when it was told of so many logins. */
  told(logins: number): Promise<void>
  stop(): Promise<void>
}

export async function startCountingRp(clientId: string, options: { hangs: boolean; alg: string }): Promise<CountingRp> {
  /** By the sid; where no ID token was issued that had one, by the sub: everybody logs in once. */
  const logins = new Set<unknown>()
  const waiting: { readonly logins: number; readonly resolve: () => void }[] = []
  let tokens = 0
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => {
      body += chunk
    })
    request.on('end', () => {
      tokens += 1
      const { sid, sub } = decodeJwt(new URLSearchParams(body).get('logout_token') ?? '')
      logins.add(sid ?? sub)
      for (const waiter of waiting) if (logins.size >= waiter.logins) waiter.resolve()
      if (!options.hangs) response.writeHead(200).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    metadata: testClient(clientId, {
      backchannel_logout_uri: `http://127.0.0.1:${portOf(server)}/backchannel-logout`,
      backchannel_logout_session_required: true,
      id_token_signed_response_alg: options.alg as 'RS256',
    }),
    get tokens() {
      return tokens
    },
    get logins() {
      return logins.size
    },
    async told(count) {
      if (logins.size < count) await new Promise<void>((resolve) => waiting.push({ logins: count, resolve }))
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
