import type { Clock, Timer } from '../../../lib/index.ts'
import type { Answer } from '../network/answer.ts'

/** How long the network may take to come back once the time is over, in milliseconds: it may have a status to tell. */
const MOMENT_MS = 1_000

/** What the network answers, whatever it is: a deployment's own may throw, or not listen to the signal. Never rejects. */
export function answerInTime(post: () => Promise<Answer>, signal: AbortSignal, clock: Clock): Promise<Answer> {
  return new Promise((resolve) => {
    let timer: Timer | undefined
    const over = (): void => {
      timer = clock.setTimeout(() => resolve({ kind: 'failed', error: 'no answer in time' }), MOMENT_MS)
    }
    if (signal.aborted) over()
    else signal.addEventListener('abort', over, { once: true })
    void settled(post).then((answer) => {
      timer?.cancel()
      signal.removeEventListener('abort', over)
      resolve(answer)
    })
  })
}

async function settled(post: () => Promise<Answer>): Promise<Answer> {
  try {
    return await post()
  } catch (error) {
    return { kind: 'failed', error: `the network failed: ${error instanceof Error ? error.message : String(error)}` }
  }
}
