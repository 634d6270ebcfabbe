import type { Clock, Timer } from '../../lib/clock.ts'

/**
 * How long one command may take, in milliseconds. The driver would wait for an answer as long as TCP does, which is a
 * quarter of an hour on a connection that a firewall has forgotten. Two commands, one after the other, stay below the
 * ten seconds within which every call is answered.
 */
export const COMMAND_TIMEOUT_MS = 4_000

/** The server has not answered a command in time. The command may have been carried out, or may be later. */
export class CommandTimeoutError extends Error {
  override get name(): string {
    return 'CommandTimeoutError'
  }
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs / 1_000} s`)
  }
}

/**
 * Runs a command with a time limit. When it passes, `signal` aborts: the driver then leaves its queue, or destroys the
 * connection that the command is on, so that the pool does not fill with silent connections. The promise is rejected
 * whether the driver obeys the signal or not.
 *
 * @throws CommandTimeoutError
 */
export async function withTimeout<T>(
  clock: Clock,
  timeoutMs: number,
  run: (signal: AbortSignal) => Promise<T>,
  stopping?: AbortSignal,
): Promise<T> {
  const over = new AbortController()
  let timer: Timer | undefined
  let stop: (() => void) | undefined
  const late = new Promise<never>((_, reject) => {
    const end = (reason: unknown): void => {
      over.abort(reason)
      reject(reason)
    }
    timer = clock.setTimeout(() => end(new CommandTimeoutError(timeoutMs)), timeoutMs)
    stop = () => end(stopping?.reason)
    if (stopping?.aborted) stop()
    else stopping?.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([run(over.signal), late])
  } finally {
    timer?.cancel()
    if (stop) stopping?.removeEventListener('abort', stop)
  }
}
