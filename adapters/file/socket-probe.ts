import { createConnection } from 'node:net'

/** How long a process may take to say whether it holds the folder. One that was stopped says nothing, and may hold it. */
const SILENCE_MS = 5_000

/**
 * Whether somebody listens on the socket.
 *
 * @param waitForDecision - wait until the other holds the folder (true) or has given it up (false)
 */
export function isAlive(path: string, { waitForDecision }: { readonly waitForDecision: boolean }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    const answer = (alive: boolean): void => {
      resolve(alive)
      socket.destroy()
    }
    // Refused, or not there: nobody listens. Whatever else the system says, it does not say that.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      answer(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT' && error.code !== 'ECONNRESET')
    })
    socket.on('connect', () => {
      if (!waitForDecision) answer(true)
    })
    socket.on('data', () => answer(true))
    socket.on('close', () => answer(false))
    socket.setTimeout(SILENCE_MS, () => answer(true))
  })
}
