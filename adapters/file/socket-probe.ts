import { createConnection } from 'node:net'
import { systemClock } from '../../lib/clock.ts'

/** A process that does not answer for so long may be stopped. It counts as the holder. */
const ANSWER_TIMEOUT_MS = 5_000

/** So many connections are made while each is closed without an answer: the second at once, others after a pause. */
const ATTEMPTS = 5
const PAUSE_MS = 50

/** `unanswered`: the connection was closed, and nothing was sent. */
type Answer = 'alive' | 'dead' | 'unanswered'

/**
 * Whether a process listens on the socket.
 *
 * A connection that is closed without an answer decides nothing. A contender that has given up closes it, and so does a
 * holder that has no file descriptor left: its system accepts the connection, and node closes it. The contender does not
 * listen any more, the holder does. The socket is therefore asked again, and counts as alive while it can be connected to.
 *
 * @param waitForDecision - wait until the other process holds the folder (true) or has given up (false)
 */
export async function isAlive(
  path: string,
  { waitForDecision }: { readonly waitForDecision: boolean },
): Promise<boolean> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (attempt > 2) await systemClock.sleep(PAUSE_MS)
    const answer = await probe(path, waitForDecision)
    if (answer !== 'unanswered') return answer === 'alive'
  }
  return true
}

function probe(path: string, waitForDecision: boolean): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    const answer = (answered: Answer): void => {
      resolve(answered)
      socket.destroy()
    }
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      // Only these two show that nobody listens. After any other error the process may be alive.
      if (code === 'ECONNREFUSED' || code === 'ENOENT') answer('dead')
      else answer(code === 'ECONNRESET' ? 'unanswered' : 'alive')
    })
    socket.on('connect', () => {
      if (!waitForDecision) answer('alive')
    })
    socket.on('data', () => answer('alive'))
    socket.on('close', () => answer('unanswered'))
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => answer('alive'))
  })
}
