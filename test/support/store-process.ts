import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Another process that works on an event store and tells what it does, a line of JSON each. It is killed with
 * SIGKILL; what it had said by then can be read to the last line.
 */
export class StoreProcess {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #exited: Promise<unknown>

  /**
   * @param program - path of the program, as `bundledProgram()` returns it, which gets `args`
   * @param openFiles - how many file descriptors it may have
   */
  constructor(program: string, args: readonly string[], { openFiles }: { readonly openFiles?: number } = {}) {
    const node = [process.execPath, program, ...args]
    const limited = ['sh', '-c', `ulimit -n ${openFiles}; exec "$@"`, 'sh', ...node]
    const [command = '', ...rest] = openFiles === undefined ? node : limited
    this.#child = spawn(command, rest, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#exited = once(this.#child, 'exit')
    if (!this.#child.stdout) throw new Error('the process has no output')
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** The next thing it said; undefined when it has ended and everything was read. */
  async next<T>(): Promise<T | undefined> {
    const { value, done } = await this.#lines.next()
    return done ? undefined : (JSON.parse(value) as T)
  }

  /** Kills it, unless it has ended; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  /** Stops it, has it go on, or has it come to its end. */
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void {
    this.#child.kill(signal)
  }

  /** Everything else it said before it ended. */
  async rest<T>(): Promise<T[]> {
    const said: T[] = []
    for (let one = await this.next<T>(); one !== undefined; one = await this.next<T>()) said.push(one)
    return said
  }
}
