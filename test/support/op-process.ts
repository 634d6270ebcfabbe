import { type ChildProcess, fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import type { Commit } from '../../lib/index.ts'
import type { Receipt, TerminationReport } from '../../plugins/back-channel-logout/index.ts'
import { bundledProgram } from './bundled-program.ts'
import { endOf } from './end-of-child.ts'
import { type Guardian, startGuardian } from './guardian.ts'
import type { KillPoint } from './kill-point.ts'
import { leaks } from './leak-check.ts'
import type { Complaint, Held, OpSetup, Question, TerminationWish } from './op-program.ts'
import type { ToldSpan } from './tracing.ts'

const PROGRAM = await bundledProgram(new URL('op-program.ts', import.meta.url))

/** What it tells without being asked. */
interface Told {
  readonly complaint?: Complaint
  readonly span?: ToldSpan
  /** What it has logged. */
  readonly line?: string
}

interface Reply {
  readonly id: number
  readonly answer?: unknown
  /** Why there is no answer. */
  readonly failed?: string
}

/** What it says when it listens; it may have logged before. */
function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    const hear = ({ port }: { readonly port?: number }): void => {
      if (port === undefined) return
      child.off('message', hear)
      resolve(port)
    }
    child.on('message', hear)
  })
}

/** An OP in another process. */
export class OpProcess {
  readonly port: number
  /** Resolves when it is gone. */
  readonly died: Promise<void>
  /** Errors that it met, in their order; the last one may be its end. */
  readonly complaints: readonly Complaint[]
  /** Spans that have ended there, where it is traced. */
  readonly spans: readonly ToldSpan[]
  readonly #child: ChildProcess
  readonly #told = new EventEmitter()
  #questions = 0
  /** While it stands still it would not see that whoever started it is gone. */
  #guardian: Guardian | undefined

  static async start(setup: OpSetup): Promise<OpProcess> {
    const child = fork(PROGRAM, [JSON.stringify(setup)], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let printed = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
    })
    const failed = endOf(child).then(({ code, signal }) => {
      throw new Error(`the OP's process ended with ${signal ?? code} before it was there:\n${printed}`)
    })
    const port = await Promise.race([portOf(child), failed])
    failed.catch(() => {}) // from now on its end is expected
    return new OpProcess(child, port, () => printed)
  }

  private constructor(child: ChildProcess, port: number, printed: () => string) {
    this.#child = child
    this.port = port
    const complaints: Complaint[] = []
    this.complaints = complaints
    this.died = endOf(child).then(({ code }) => {
      if (code === null) return // by a signal: it was killed
      complaints.push({
        message: `it ended by itself, with ${code}`,
        // What it has printed may come after its end.
        get stack() {
          return printed()
        },
      })
    })
    const spans: ToldSpan[] = []
    this.spans = spans
    child.on('message', ({ complaint, span, line }: Told) => {
      if (complaint) complaints.push(complaint)
      if (line !== undefined) leaks.line(line)
      if (span) {
        spans.push(span)
        this.#told.emit('span', span)
      }
    })
    child.on('error', () => {}) // a message that it does not take any more: whoever asked hears of its death
  }

  /** Resolves with a span of this name, once so many of them have ended. */
  async span(name: string, count = 1): Promise<ToldSpan> {
    for (;;) {
      const span = this.spans.filter((one) => one.name === name)[count - 1]
      if (span) return span
      await Promise.race([once(this.#told, 'span'), this.died])
      if (!this.isAlive && !this.spans.some((one) => one.name === name)) throw new Error(`no span ${name}`)
    }
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

  /** The receipts of these sessions, as they stand. */
  async receipts(sessionUids: readonly string[]): Promise<Receipt[]> {
    return (await this.#ask({ receipts: sessionUids })) as Receipt[]
  }

  /** Ends sessions as an operator would. */
  async terminate(wish: TerminationWish): Promise<TerminationReport> {
    return (await this.#ask({ terminate: wish })) as TerminationReport
  }

  /** The position that its log has reached. */
  async end(): Promise<number> {
    return (await this.#ask({ end: true })) as number
  }

  async memory(): Promise<Held> {
    return (await this.#ask({ memory: true })) as Held
  }

  async log(): Promise<Commit[]> {
    return (await this.#ask({ log: true })) as Commit[]
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.died
    this.#guardian?.forget()
    await this.#guardian?.dismiss()
    this.#guardian = undefined
  }

  /** Stands still from now on, until it continues: to others it looks dead. */
  standStill(): void {
    if (this.#child.pid === undefined || !this.isAlive) return
    this.#guardian ??= startGuardian()
    this.#guardian.watch(this.#child.pid)
    this.#child.kill('SIGSTOP')
  }

  async goOn(): Promise<void> {
    this.#child.kill('SIGCONT')
    this.#guardian?.forget()
    await this.#guardian?.dismiss()
    this.#guardian = undefined
  }

  /** Has it meet a rejected promise that nobody handles. */
  async rejectUnhandled(): Promise<void> {
    await this.#ask({ rejectUnhandled: true }).catch(() => this.died)
  }

  #ask(question: Question): Promise<unknown> {
    this.#questions += 1
    const id = this.#questions
    return new Promise((resolve, reject) => {
      const hear = (reply: Reply): void => {
        if (reply.id !== id) return
        this.#child.off('message', hear)
        if (reply.failed === undefined) resolve(reply.answer)
        else reject(new Error(reply.failed))
      }
      this.#child.on('message', hear)
      void this.died.then(() => reject(new Error('the process died before it answered')))
      this.#child.send({ id, question })
    })
  }
}
