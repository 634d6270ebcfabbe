import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { listen } from './op.ts'

/** A request that the proxy holds back. */
export interface HeldRequest {
  /** Resolves when the request has arrived. */
  readonly arrived: Promise<void>
  /** Lets it go on to the server. */
  release(): void
}

/** What befalls a request: the proxy's own answer, or leave to go on. */
type Fate = (response: ServerResponse) => Promise<'go on' | 'answered'>

/** A reverse proxy in front of a web server, as it came except where a test makes it answer itself or wait. */
export class ReverseProxy {
  readonly port: number
  readonly #listener: Server
  readonly #planned: Fate[] = []

  static async start(targetPort: number): Promise<ReverseProxy> {
    const listener = createServer()
    const proxy = new ReverseProxy(listener, await listen(listener, 0))
    listener.on('request', (incoming, response) => void proxy.#serve(targetPort, incoming, response))
    return proxy
  }

  private constructor(listener: Server, port: number) {
    this.#listener = listener
    this.port = port
  }

  /** Answers the next request that nothing is planned for in the server's place. Resolves when that has happened. */
  answerNext(status: number): Promise<void> {
    return new Promise((resolve) => {
      this.#planned.push(async (response) => {
        response.writeHead(status).end(() => resolve())
        return 'answered'
      })
    })
  }

  /** Holds the next request back that nothing is planned for. */
  holdNext(): HeldRequest {
    let release = (): void => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const arrived = new Promise<void>((resolve) => {
      this.#planned.push(async () => {
        resolve()
        await released
        return 'go on'
      })
    })
    return { arrived, release }
  }

  async stop(): Promise<void> {
    this.#listener.closeAllConnections()
    await new Promise((resolve) => this.#listener.close(resolve))
  }

  async #serve(targetPort: number, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    if ((await this.#planned.shift()?.(response)) === 'answered') return
    const { method, url, headers } = incoming
    const onward = request({ host: '127.0.0.1', port: targetPort, method, path: url, headers, agent: false })
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    incoming.pipe(onward)
  }
}
