import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Commit } from '../../lib/index.ts'
import type { Receipt } from '../../plugins/back-channel-logout/index.ts'
import type { KillPoint } from './kill-point.ts'
import type { OpSetup, Question } from './op-program.ts'

const PROGRAM = fileURLToPath(new URL('op-program.ts', import.meta.url))
const TYPES = new URL('types.mjs', import.meta.url).href

interface Reply {
  readonly id: number
  readonly answer: unknown
}

/** An OP in another process. */
export class OpProcess {
  readonly port: number
  /** Resolves when it is gone. */
  readonly died: Promise<void>
  readonly #child: ChildProcess
  #questions = 0

  static async start(setup: OpSetup): Promise<OpProcess> {
    const child = fork(PROGRAM, [JSON.stringify(setup)], {
      execArgv: ['--import', TYPES, '--enable-source-maps'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let complaints = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      complaints += chunk.toString()
    })
    const failed = once(child, 'exit').then(([code]) => {
      throw new Error(`the OP's process ended with ${code} before it was there:\n${complaints}`)
    })
    const [{ port }] = (await Promise.race([once(child, 'message'), failed])) as [{ port: number }]
    failed.catch(() => {}) // from now on its end is expected
    return new OpProcess(child, port)
  }

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
    this.died = once(child, 'exit').then(() => undefined)
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** From now on it dies at this point, by SIGKILL; without one it lives. */
  async arm(point?: KillPoint): Promise<void> {
    await this.#ask({ arm: point ?? null })
  }

  /** Kills it if it waits for an answer from this URI. Resolves when it is known whether. */
  async killIfPosting(uri: string): Promise<void> {
    await this.#ask({ dieIfPosting: uri }).catch(() => this.died)
  }

  /** The receipt of a session's logout, once nothing of it is left to do. */
  async receipt(sessionUid: string): Promise<Receipt> {
    return (await this.#ask({ receipt: sessionUid })) as Receipt
  }

  /** The position that its log has reached. */
  async end(): Promise<number> {
    return (await this.#ask({ end: true })) as number
  }

  async log(): Promise<Commit[]> {
    return (await this.#ask({ log: true })) as Commit[]
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.died
  }

  #ask(question: Question): Promise<unknown> {
    this.#questions += 1
    const id = this.#questions
    return new Promise((resolve, reject) => {
      const hear = (reply: Reply): void => {
        if (reply.id !== id) return
        this.#child.off('message', hear)
        resolve(reply.answer)
      }
      this.#child.on('message', hear)
      void this.died.then(() => reject(new Error('the process died before it answered')))
      this.#child.send({ id, question })
    })
  }
}
