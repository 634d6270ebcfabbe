import { spawn } from 'node:child_process'

/**
 * Makes sure that a child process does not outlive the tests. Exit hooks cannot promise that: nothing runs after
 * SIGKILL. So a small shell in a session of its own waits for its standard input to end, which happens however this
 * process dies, and then kills what it was told to watch and removes its folder.
 */
export interface Guardian {
  /** Watches this process from now on, instead of the one before. */
  watch(pid: number): void
  /** The watched process ended by itself: forget it, so that a reused process id is never killed. */
  forget(): void
  /** Ends the watch: kills what is still watched, removes the folder, resolves when both are done. */
  dismiss(): Promise<void>
}

const SCRIPT = `
trap '' INT TERM HUP
pid=0
while read -r line; do pid=$line; done
if [ "$pid" != 0 ]; then kill -9 "$pid" 2>/dev/null; fi
if [ -n "$1" ]; then
  # A second time, should the dying process have written while the first was at work.
  rm -rf -- "$1" || { sleep 0.2; rm -rf -- "$1"; }
fi
`

/** Starts a guardian. `folder`, when given, is removed at the end. */
export function startGuardian(folder?: string): Guardian {
  const shell = spawn('sh', ['-c', SCRIPT, 'guardian', folder ?? ''], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  const gone = new Promise<void>((resolve) => shell.once('exit', () => resolve()))
  const input = shell.stdin
  // The guardian is not something a test left running.
  shell.unref()
  if ('unref' in input && typeof input.unref === 'function') input.unref()
  return {
    watch(pid) {
      input.write(`${pid}\n`)
    },
    forget() {
      input.write('0\n')
    },
    dismiss() {
      shell.ref()
      input.end()
      return gone
    },
  }
}
