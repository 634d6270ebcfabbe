import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'

/** A server on loopback that counts who comes. */
export interface Answering {
  readonly port: number
  readonly origin: string
  /** Connections made so far. */
  readonly connections: number
  /** Bodies of the requests that came, in order. */
  readonly requests: readonly { readonly headers: IncomingMessage['headers']; readonly body: string }[]
  /** Resolves when so many requests have come in all. */
  requested(count: number): Promise<void>
  stop(): Promise<void>
}

/** Answers each request so. */
export async function answering(
  answer: (response: ServerResponse, request: IncomingMessage) => void,
): Promise<Answering> {
  const requests: { headers: IncomingMessage['headers']; body: string }[] = []
  const waiting: { readonly count: number; readonly resolve: () => void }[] = []
  const server = createServer((request, response) => {
    void (async () => {
      let body = ''
      for await (const chunk of request) body += String(chunk)
      requests.push({ headers: request.headers, body })
      for (const { count, resolve } of waiting) if (requests.length >= count) resolve()
      answer(response, request)
    })()
  })
  return listening(server, requests, waiting)
}

/** Does this with each connection, whatever is sent on it. */
export async function connecting(handle: (socket: Socket) => void): Promise<Answering> {
  return listening(createTcpServer(handle), [], [])
}

async function listening(
  server: Server,
  requests: Answering['requests'],
  waiting: { readonly count: number; readonly resolve: () => void }[],
): Promise<Answering> {
  const sockets = new Set<Socket>()
  let connections = 0
  server.on('connection', (socket: Socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    get connections() {
      return connections
    },
    requests,
    async requested(count) {
      if (requests.length < count) await new Promise<void>((resolve) => waiting.push({ count, resolve }))
    },
    async stop() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
