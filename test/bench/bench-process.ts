import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { endOf } from '../support/end-of-child.ts'

/** Another process of a benchmark. It sends a message when it is ready, and then one for each question. */
export class BenchProcess {
  readonly #child: ChildProcess
  /** Rejects when the process has ended. */
  readonly #ended: Promise<never>
  /** Its first message. */
  readonly firstMessage: unknown

  /** Starts a script, and waits until it is ready. */
  static async start(script: string, relativeTo: string, ...args: string[]): Promise<BenchProcess> {
    const child = fork(fileURLToPath(new URL(script, relativeTo)), args)
    const ended = endOf(child).then(({ code, signal }): never => {
      throw new Error(`${script} ended with ${signal ?? code}`)
    })
    ended.catch(() => {}) // whoever waits for a message is told
    const [firstMessage] = await Promise.race([once(child, 'message'), ended])
    return new BenchProcess(child, ended, firstMessage)
  }

  private constructor(child: ChildProcess, ended: Promise<never>, firstMessage: unknown) {
    this.#child = child
    this.#ended = ended
    this.firstMessage = firstMessage
  }

  /** Asks one thing, and waits for the answer. One question at a time. */
  async ask<Answer>(question: string | number | object): Promise<Answer> {
    this.#child.send(question)
    const [answer] = await Promise.race([once(this.#child, 'message'), this.#ended])
    return answer as Answer
  }

  /** Calls back with each further message. */
  onMessage(listener: (message: unknown) => void): void {
    this.#child.on('message', listener)
  }

  kill(): void {
    this.#child.kill()
  }
}
