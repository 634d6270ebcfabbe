import { randomBytes } from 'node:crypto'
import type { Clock, Logger } from '../../../lib/index.ts'
import { asWebError, WebError } from '../../../lib/web/web-error.ts'
import type { Operation, OperationProgress } from '../api/contract.ts'

/** What an operation is given to work with. */
export interface OperationControl {
  /** Aborts when it is cancelled. */
  readonly signal: AbortSignal
  /** How far it is. */
  progress(progress: OperationProgress): void
  /** It is recorded as a termination of this id, and goes on without this process from now on. */
  ordered(termination: string): void
}

/** What is to be done. */
export interface NewOperation extends Pick<Operation, 'kind' | 'dryRun' | 'request' | 'actor'> {
  run(control: OperationControl): Promise<NonNullable<Operation['result']>>
}

/** What operations are kept with. */
export interface OperationsParts {
  readonly clock: Clock
  readonly logger: Logger
  /** Told whenever one has gone on. */
  readonly onChange: (operation: Operation) => void
}

/** So many run at a time, and of so many it is remembered what they came to. */
const MOST_RUNNING = 8
const MOST_OVER = 100

/** So many that are ordered are waited for: others carry them out, so that the place of none is needed for new ones. */
const MOST_ORDERED = 32

interface Entry {
  operation: Operation
  readonly cancelling: AbortController
  /** Resolves when it is over, however. */
  over: Promise<void>
}

/**
 * What operators have started and what takes a while, as this process knows it. It is kept nowhere: a process that dies takes
 * its operations with it, but for terminations, which are orders in the log.
 */
export class Operations {
  readonly #parts: OperationsParts
  /** Those started last come last. */
  readonly #entries = new Map<string, Entry>()
  #closed = false

  constructor(parts: OperationsParts) {
    this.#parts = parts
  }

  /** @throws WebError (`TOO_MANY_OPERATIONS`, `STOPPING`) */
  start({ run, ...about }: NewOperation): Operation {
    if (this.#closed) throw new WebError(503, 'STOPPING', 'the console stops here: try again elsewhere')
    if (this.#running('stops').length >= MOST_RUNNING)
      throw new WebError(
        429,
        'TOO_MANY_OPERATIONS',
        `at most ${MOST_RUNNING} operations run at a time: wait for one of them`,
      )
    const operation: Operation = {
      id: randomBytes(16).toString('base64url'),
      ...about,
      startedAt: this.#parts.clock.now(),
      state: 'running',
      cancelling: 'stops',
      progress: { done: 0 },
    }
    const entry: Entry = { operation, cancelling: new AbortController(), over: Promise.resolve() }
    this.#entries.set(operation.id, entry)
    this.#forgetOldest()
    entry.over = this.#run(entry, run)
    return operation
  }

  /** The newest first. */
  list(): Operation[] {
    return [...this.#entries.values()].map(({ operation }) => operation).reverse()
  }

  /** @throws WebError (`OPERATION_UNKNOWN`) */
  find(id: string): Operation {
    return this.#entry(id).operation
  }

  /**
   * How it ended; or how far it is after so many milliseconds, or when nobody waits any more.
   *
   * @throws WebError (`OPERATION_UNKNOWN`)
   */
  async overWithin(id: string, ms: number, signal: AbortSignal): Promise<Operation> {
    const entry = this.#entry(id)
    const isOver = new AbortController()
    const enough = this.#parts.clock.sleep(ms, AbortSignal.any([signal, isOver.signal]))
    await Promise.race([entry.over, enough])
    isOver.abort()
    return entry.operation
  }

  /**
   * Ends it, or stops waiting for it where it goes on without this process. One that is over stays as it is.
   *
   * @throws WebError (`OPERATION_UNKNOWN`)
   */
  cancel(id: string): Operation {
    const entry = this.#entry(id)
    if (entry.operation.state === 'running') entry.cancelling.abort()
    return entry.operation
  }

  /** Cancels all, for good. */
  close(): void {
    this.#closed = true
    for (const { cancelling } of this.#entries.values()) cancelling.abort()
  }

  async #run(entry: Entry, run: NewOperation['run']): Promise<void> {
    const { signal } = entry.cancelling
    try {
      const result = await run({
        signal,
        progress: (progress) => this.#change(entry, { progress }),
        ordered: (termination) => {
          this.#change(entry, { termination, cancelling: 'leaves' })
          for (const { cancelling } of this.#running('leaves').slice(0, -MOST_ORDERED)) cancelling.abort()
        },
      })
      this.#end(entry, { state: 'completed', result })
    } catch (error) {
      if (isOverElsewhere(error) || signal.aborted)
        this.#end(entry, { state: entry.operation.termination === undefined ? 'cancelled' : 'left' })
      else this.#end(entry, { state: 'failed', error: this.#told(error, entry.operation) })
    }
  }

  #told(error: unknown, { kind, actor }: Operation): { readonly code: string; readonly message: string } {
    const known = asWebError(error)
    if (known) return { code: known.code, message: known.message }
    this.#parts.logger.error({ event: 'console_operation_failed', err: error, kind, actor }, 'an operation failed')
    return { code: 'FAILED', message: 'this did not work; the log says why' }
  }

  #change(entry: Entry, change: Partial<Operation>): void {
    entry.operation = { ...entry.operation, ...change }
    this.#parts.onChange(entry.operation)
  }

  #end(entry: Entry, outcome: Pick<Operation, 'state' | 'result' | 'error'>): void {
    const { cancelling: _, ...operation } = entry.operation
    entry.operation = operation
    this.#change(entry, { ...outcome, endedAt: this.#parts.clock.now() })
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id)
    if (entry) return entry
    throw new WebError(
      404,
      'OPERATION_UNKNOWN',
      'this process does not know the operation: another one runs it, or it has started anew since; terminations go on all the same',
    )
  }

  #running(cancelling: Operation['cancelling']): Entry[] {
    return [...this.#entries.values()].filter(({ operation }) => operation.cancelling === cancelling)
  }

  #forgetOldest(): void {
    const over = [...this.#entries].filter(([, { operation }]) => operation.state !== 'running')
    for (const [id] of over.slice(0, Math.max(0, over.length - MOST_OVER))) this.#entries.delete(id)
  }
}

/** This process stops; the termination is recorded, and others go on with it. */
function isOverElsewhere(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'TERMINATION_UNFINISHED'
}
