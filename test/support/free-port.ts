import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * A free port that the system never hands out for outgoing connections (Linux: from 32768 on). A server that is killed
 * and restarted needs one: a client that keeps trying an ephemeral port of the own machine while nobody listens there
 * may be given that very port as its own, connects to itself, and the restarted server finds it taken.
 */
export async function portOutsideEphemeralRange(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_768)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
