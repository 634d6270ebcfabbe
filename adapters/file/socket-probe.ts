import { createConnection } from 'node:net'

/** A process that does not answer for so long may be stopped. It counts as the holder. */
const ANSWER_TIMEOUT_MS = 5_000

/**
 * Whether a process listens on the socket.
 *
 * @param waitForDecision - wait until the other process holds the folder (true) or has given up (false)
 */
export function isAlive(path: string, { waitForDecision }: { readonly waitForDecision: boolean }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    const answer = (alive: boolean): void => {
      resolve(alive)
      socket.destroy()
    }
    // Only these three show that nobody listens. After any other error the process may be alive.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      answer(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT' && error.code !== 'ECONNRESET')
    })
    socket.on('connect', () => {
      if (!waitForDecision) answer(true)
    })
    socket.on('data', () => answer(true))
    socket.on('close', () => answer(false))
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => answer(true))
  })
}
