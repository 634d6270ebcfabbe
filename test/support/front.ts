import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** What stands in front of the processes of an OP: one address, and each connection goes to the next process. */
export class Front {
  readonly #listener: Server
  readonly #sockets = new Set<Socket>()
  #targets: readonly number[] = []
  #next = 0

  static async start(): Promise<Front> {
    const front = new Front()
    front.#listener.listen(0, '127.0.0.1')
    await once(front.#listener, 'listening')
    return front
  }

  private constructor() {
    this.#listener = createServer((client) => this.#lead(client))
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  /** From now on connections go to these ports. */
  leadTo(ports: readonly number[]): void {
    this.#targets = ports
  }

  async stop(): Promise<void> {
    const closed = once(this.#listener, 'close')
    this.#listener.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #lead(client: Socket): void {
    this.#next += 1
    const port = this.#targets[this.#next % this.#targets.length]
    if (port === undefined) {
      client.resetAndDestroy()
      return
    }
    const server = connect(port, '127.0.0.1')
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    client.pipe(server).pipe(client)
  }
}
