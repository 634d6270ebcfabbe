import type { ClientSession, Document, RunCommandOptions } from 'mongodb'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/logger.ts'
import type { Collections } from './collections.ts'
import type { Wakeups } from './wakeups.ts'
import { COMMAND_TIMEOUT_MS, withTimeout } from './with-timeout.ts'

/** How long the server lets a question wait for a change before it says that there is none, in milliseconds. */
const AWAIT_MS = 10_000

/** The pause before a stream that has ended is opened again, in milliseconds; doubled each time, for ever. */
const REOPEN_MS = { first: 1_000, most: 30_000 }

/** The pause after news of this process's own commits alone, in milliseconds: they are many, and known. */
const OWN_PAUSE_MS = 100

/** Closing waits so long for the server to be told, in milliseconds. */
const KILL_TIMEOUT_MS = 1_000

/** A stream keeps a connection to itself: a pool that is smaller than this needs them all. */
const LEAST_POOL = 4

/** The id of a cursor is a 64-bit integer, and all its bits count. */
const CURSOR_OPTIONS: RunCommandOptions = { useBigInt64: true, promoteLongs: true, promoteValues: true }

/** What the hint works with. */
export interface ChangeHintParts {
  readonly collections: Collections
  readonly wakeups: Wakeups
  readonly clock: Clock
  readonly logger: Logger
  /** Whether this process has appended what is at the position: its subscriptions know that by themselves. */
  readonly isOwn: (position: number) => boolean
}

/** Whether the pool of this client has a connection to spare for a change stream. */
export function hasConnectionToSpare({ client }: Collections): boolean {
  const { maxPoolSize } = client.options
  return !maxPoolSize || maxPoolSize >= LEAST_POOL
}

/**
 * Wakes this process's subscriptions when another process has appended, where the server has change streams. Nothing
 * depends on it: a woken subscription reads by itself, and while there is no stream, subscriptions poll more often. A
 * stream that ends is opened again, after a pause that grows to half a minute, as long as the store is open.
 *
 * It speaks to the server by commands of its own, since the driver's cursors cannot be stopped while they wait: a silent
 * connection would be kept for ever.
 */
export class ChangeHint {
  readonly #parts: ChangeHintParts
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined
  #isOpen = false

  constructor(parts: ChangeHintParts) {
    this.#parts = parts
  }

  /** Whether the stream is open at this moment. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Opens the stream, and keeps it open from now on. */
  start(): void {
    this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, logger, wakeups } = this.#parts
    const { signal } = this.#stopping
    let pauseMs = REOPEN_MS.first
    let isToldOf = false
    while (!signal.aborted) {
      try {
        await this.#follow(() => {
          if (isToldOf) logger.debug({ event: 'change_stream_open' }, 'the change stream of the log is open again')
          isToldOf = false
          pauseMs = REOPEN_MS.first
        })
      } catch (error) {
        if (signal.aborted) return
        if (!isToldOf) {
          logger.debug(
            { err: error, event: 'change_stream_ended' },
            'the change stream of the log has ended; subscriptions poll until it is open again',
          )
        }
        isToldOf = true
      }
      if (this.#isOpen) {
        this.#isOpen = false
        wakeups.wake() // from now on they look more often
      }
      await clock.sleep(pauseMs, signal)
      pauseMs = Math.min(REOPEN_MS.most, 2 * pauseMs)
    }
  }

  /** Follows the stream for as long as it lasts. @throws what ended it */
  async #follow(onOpen: () => void): Promise<void> {
    const { collections, wakeups, clock, isOwn } = this.#parts
    const { signal } = this.#stopping
    const session = collections.client.startSession({ causalConsistency: false })
    let id: bigint | undefined
    try {
      const collection = collections.name('events')
      const pipeline = [
        { $changeStream: {} },
        { $match: { operationType: 'insert' } },
        { $project: { 'documentKey._id': 1 } },
      ]
      const open = { aggregate: collection, pipeline, cursor: {}, readConcern: { level: 'majority' } }
      id = cursorOf(await this.#ask(open, session, COMMAND_TIMEOUT_MS)).id
      this.#isOpen = true
      onOpen()
      wakeups.wake() // something may have come before it was open
      for (;;) {
        const more = { getMore: id, collection, maxTimeMS: AWAIT_MS }
        const cursor = cursorOf(await this.#ask(more, session, AWAIT_MS + COMMAND_TIMEOUT_MS))
        id = cursor.id
        if (!cursor.positions.every(isOwn)) wakeups.wake()
        else if (cursor.positions.length > 0) await clock.sleep(OWN_PAUSE_MS, signal)
      }
    } finally {
      await this.#end(session, id)
    }
  }

  #ask(command: Document, session: ClientSession, timeoutMs: number): Promise<Document> {
    const { collections, clock } = this.#parts
    const ask = (signal: AbortSignal): Promise<Document> =>
      collections.command(command, { ...CURSOR_OPTIONS, session, signal })
    return withTimeout(clock, timeoutMs, ask, this.#stopping.signal)
  }

  /** Closes the cursor on the server, which closes it by itself after a while when it cannot be reached. */
  async #end(session: ClientSession, id: bigint | undefined): Promise<void> {
    const { collections, clock } = this.#parts
    if (id) {
      const kill = { killCursors: collections.name('events'), cursors: [id] }
      await withTimeout(clock, KILL_TIMEOUT_MS, (signal) => collections.command(kill, { session, signal })).catch(
        () => undefined,
      )
    }
    await session.endSession().catch(() => undefined)
  }
}

/** @returns the cursor's id, and the positions that it tells of */
function cursorOf({ cursor }: Document): { readonly id: bigint; readonly positions: readonly number[] } {
  const { id, firstBatch = [], nextBatch = [] } = cursor as Document
  if (typeof id !== 'bigint' || id === 0n) throw new Error('the server has closed the change stream')
  const changes: readonly Document[] = [...firstBatch, ...nextBatch]
  return { id, positions: changes.map(({ documentKey }) => Number(documentKey?._id)) }
}
