import { type ChildProcess, fork } from 'node:child_process'
import type { EventStore } from '../../lib/index.ts'
import { bundledProgram } from '../support/bundled-program.ts'
import { endOf } from '../support/end-of-child.ts'
import { answerFor, type StoreCall } from './remote-store.ts'
import type { News, Question, ScaleSetup, Terminated, Usage } from './scale-program.ts'
import type { Tallied } from './tally.ts'

const PROGRAM = await bundledProgram(new URL('scale-program.ts', import.meta.url))

interface Message {
  readonly ready?: true
  readonly news?: News
  readonly id?: number
  readonly answer?: unknown
  readonly failed?: string
  readonly calling?: number
  readonly call?: StoreCall
}

/** The OP of a scale run, in another process. */
export class ScaleProcess {
  readonly #child: ChildProcess
  /** Rejects when it is gone, and says how. */
  readonly #ended: Promise<never>
  #questions = 0

  /**
   * @param hear - called with what it tells without being asked
   * @param store - the store that is `elsewhere` for it
   */
  static async start(setup: ScaleSetup, hear: (news: News) => void, store?: EventStore): Promise<ScaleProcess> {
    const child = fork(PROGRAM, [JSON.stringify(setup)], {
      execArgv: ['--enable-source-maps', '--expose-gc'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    })
    const gone = new AbortController()
    child.once('exit', () => gone.abort())
    child.on('message', ({ calling, call }: Message) => {
      if (store && call)
        void answerFor(store, call, gone.signal).then(
          (reply) => child.connected && child.send({ called: calling, reply }),
        )
    })
    child.on('error', () => {}) // an answer that it does not take any more
    child.on('message', ({ news }: Message) => {
      if (news) hear(news)
    })
    let complaints = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      complaints += chunk.toString()
    })
    const ended = endOf(child).then(({ code, signal }): never => {
      throw new Error(`the OP's process ended with ${signal ?? code}:\n${complaints}`)
    })
    const ready = new Promise<void>((resolve) => {
      child.on('message', (message: Message) => {
        if (message.ready) resolve()
      })
    })
    await Promise.race([ready, ended])
    ended.catch(() => {}) // whoever waits for an answer hears of it
    return new ScaleProcess(child, ended)
  }

  private constructor(child: ChildProcess, ended: Promise<never>) {
    this.#child = child
    this.#ended = ended
  }

  async make(count: number): Promise<void> {
    await this.#ask({ make: count })
  }

  async terminateAll(): Promise<Terminated> {
    return (await this.#ask({ terminateAll: true })) as Terminated
  }

  async awaitTermination(): Promise<Terminated> {
    return (await this.#ask({ awaitTermination: true })) as Terminated
  }

  async tally(): Promise<Tallied> {
    return (await this.#ask({ tally: true })) as Tallied
  }

  async usage(): Promise<Usage> {
    return (await this.#ask({ usage: true })) as Usage
  }

  async open(): Promise<Readonly<Record<string, number>>> {
    return (await this.#ask({ open: true })) as Record<string, number>
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended.catch(() => {})
  }

  #ask(question: Question): Promise<unknown> {
    this.#questions += 1
    const id = this.#questions
    return new Promise((resolve, reject) => {
      const hear = (message: Message): void => {
        if (message.id !== id) return
        this.#child.off('message', hear)
        if (message.failed === undefined) resolve(message.answer)
        else reject(new Error(message.failed))
      }
      this.#child.on('message', hear)
      this.#ended.catch(reject)
      this.#child.send({ id, question })
    })
  }
}
