import type { ChildProcess } from 'node:child_process'

/** How a child process ended. */
export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/**
 * Resolves when a child process that runs has ended. It never rejects: `once(child, 'exit')` does at any error of the
 * child, and a message that a dying child does not take any more is one. Whoever waits for the end would not see it.
 */
export function endOf(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
}
