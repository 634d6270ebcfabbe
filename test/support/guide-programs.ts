import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A program of a page says nothing when it listens: it is asked until it answers, with so many milliseconds in between. */
const LOOK_AGAIN_MS = 20

/** The programs of a page: each block whose paragraph before it names the file to save it as. They run as they stand. */
export class GuidePrograms {
  readonly #page: string
  readonly #folder: string
  readonly #programs: ReadonlyMap<string, string>
  readonly #run = new Set<string>()
  readonly #children: ChildProcess[] = []

  static async read(page: string): Promise<GuidePrograms> {
    const text = await readFile(join(root, page), 'utf8')
    const blocks = text.matchAll(/`([\w-]+\.[cm]js)`[^`]*(?:`[^`\n]*`[^`]*)*?\n\n```c?js\n([\s\S]*?)^```/gm)
    const programs = new Map([...blocks].map(([, file = '', code = '']) => [file, code]))
    // Inside the checkout, so that packages are found, and this one under its own name.
    await mkdir(join(root, 'artefacts'), { recursive: true })
    return new GuidePrograms(page, await mkdtemp(join(root, 'artefacts', 'programs-')), programs)
  }

  private constructor(page: string, folder: string, programs: ReadonlyMap<string, string>) {
    this.#page = page
    this.#folder = folder
    this.#programs = programs
  }

  /** The programs that were not run. */
  get leftOut(): string[] {
    return [...this.#programs.keys()].filter((file) => !this.#run.has(file))
  }

  /**
   * Starts a program, and resolves once it answers at the URL.
   *
   * @param values - texts of the program that are replaced: ports
   */
  async start(
    file: string,
    { answers, values, env = {} }: { answers: string; values: Record<string, string>; env?: Record<string, string> },
  ): Promise<RunningProgram> {
    let code = this.#programs.get(file)
    if (code === undefined) throw new Error(`${this.#page} has no program ${file}`)
    this.#run.add(file)
    for (const [text, value] of Object.entries(values)) {
      if (!code.includes(text)) throw new Error(`"${text}" is not in ${file} of ${this.#page}`)
      code = code.replaceAll(text, value)
    }
    await writeFile(join(this.#folder, file), code)
    const child = spawn(process.execPath, ['--no-warnings', file], {
      cwd: this.#folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#children.push(child)
    const program = new RunningProgram(child)
    await program.answering(answers)
    return program
  }

  /** Kills what is left, and removes what the programs have written. */
  async end(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}

export class RunningProgram {
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>
  #output = ''

  constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = once(child, 'exit').then(([code]) => code as number | null)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        this.#output += String(chunk)
      })
    }
  }

  /** What it has printed so far. */
  get output(): string {
    return this.#output
  }

  /** Resolves once it answers. Rejects when it ends before that. */
  async answering(url: string): Promise<void> {
    let hasEnded = false
    const ended = this.#ended.then((code) => {
      hasEnded = true
      throw new Error(`the program ended with ${code}:\n${this.#output}`)
    })
    const up = async (): Promise<void> => {
      while (!hasEnded) {
        const answer = await fetch(url, { redirect: 'manual' }).catch(() => undefined)
        if (answer !== undefined && answer.status < 500) return
        await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
      }
    }
    await Promise.race([up(), ended])
    ended.catch(() => {})
  }

  /** Resolves once it has printed this. */
  async printed(text: string): Promise<void> {
    while (!this.#output.includes(text)) {
      if (this.#child.stdout === null) throw new Error('its output is not read')
      await Promise.race([
        once(this.#child.stdout, 'data'),
        this.#ended.then((code) => {
          throw new Error(`the program ended with ${code} and has not printed "${text}":\n${this.#output}`)
        }),
      ])
    }
  }

  /** Asks it to stop; what it ends with, once it has. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM')
    return await this.#ended
  }
}
