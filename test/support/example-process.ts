import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundledProgram } from './bundled-program.ts'
import { portOutsideEphemeralRange } from './free-port.ts'
import { type Guardian, startGuardian } from './guardian.ts'

const PROGRAM = await bundledProgram(new URL('../../example/main.ts', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where an example's three applications are, and the environment that puts them there. */
export interface ExamplePlaces {
  readonly op: string
  readonly one: string
  readonly two: string
  readonly environment: Readonly<Record<string, string>>
}

/** Three free ports, and a state folder of the test's own. */
export async function examplePlaces(stateFolder: string): Promise<ExamplePlaces> {
  const ports = new Set<number>()
  while (ports.size < 3) ports.add(await portOutsideEphemeralRange())
  const [op, one, two] = [...ports].map(String) as [string, string, string]
  return {
    op: `http://127.0.0.1:${op}`,
    one: `http://127.0.0.1:${one}`,
    two: `http://127.0.0.1:${two}`,
    environment: { OP_PORT: op, RP_ONE_PORT: one, RP_TWO_PORT: two, STATE_FOLDER: stateFolder },
  }
}

/** The example, once the package is built. */
export class ExampleProcess {
  readonly #child: ChildProcess
  readonly #guardian: Guardian
  readonly #waiting = new Set<() => void>()
  #output = ''
  #errors = ''
  /** Its exit code, once it has ended; null when a signal ended it. */
  readonly ended: Promise<number | null>

  /**
   * Starts it, and does not wait for anything.
   *
   * @param args - of node; `startArguments()`: as people start it
   */
  constructor(environment: Readonly<Record<string, string>>, args: readonly string[] = [PROGRAM]) {
    const { MONGODB_URI: _, ...inherited } = process.env
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...inherited, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#guardian = startGuardian()
    if (child.pid !== undefined) this.#guardian.watch(child.pid)
    child.stdout?.on('data', (chunk: Buffer) => {
      this.#output += chunk.toString()
      for (const look of this.#waiting) look()
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString()
    })
    // `close` comes after all output.
    this.ended = new Promise((resolve) => {
      child.once('close', (code) => {
        this.#guardian.forget()
        void this.#guardian.dismiss().then(() => resolve(code))
        for (const look of this.#waiting) look()
      })
    })
  }

  /** Starts it, and waits until it says that it is there. */
  static async start(environment: Readonly<Record<string, string>>, args?: readonly string[]): Promise<ExampleProcess> {
    const example = new ExampleProcess(environment, args)
    await example.says(/Ctrl-C stops it/)
    return example
  }

  /** All that it has printed. */
  get output(): string {
    return this.#output
  }

  /** What it has printed as errors, without the provider's notice about old runtimes. */
  get errors(): string {
    return this.#errors.replace(/^oidc-provider WARNING: Unsupported runtime.*\n/m, '')
  }

  /** Resolves when it has printed this, before or from now on. */
  says(pattern: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.test(this.#output)
        const over = this.#child.exitCode !== null || this.#child.signalCode !== null
        if (!found && !over) return
        this.#waiting.delete(look)
        if (found) resolve()
        else reject(new Error(`the example ended without saying ${pattern}:\n${this.#output}${this.#errors}`))
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** Sends the signal, and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#child.kill(signal)
    return this.ended
  }
}

/** The arguments of `npm start`. */
export function startArguments(): string[] {
  const { scripts } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { scripts: Record<string, string> }
  const [program, ...parameters] = (scripts['start'] ?? '').split(' ')
  if (program !== 'node') throw new Error(`npm start is expected to run node, not ${program}`)
  return parameters
}
