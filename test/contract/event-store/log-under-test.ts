import type { Meta, NewCommit, NewEvent } from '../../../lib/log/commit.ts'
import type { EventStore } from '../../../lib/log/event-store.ts'

/** One log, empty at first, and the ways to get at it. */
export interface LogUnderTest {
  /**
   * Opens it. Called again after `close()` where the log is kept, and while the first store is still open, as another
   * process would, where it is shared.
   */
  open(): Promise<EventStore>
  /** See `Capabilities.losesCommits`. Its stores are closed by then. */
  loseCommitsAfter?(position: number): Promise<void>
  /** Removes every trace of it. Its stores are closed by then. */
  remove(): Promise<void>
}

/** Makes a log that nothing else uses. */
export type MakeLog = () => Promise<LogUnderTest>

/** Where stores may differ. */
export interface Capabilities {
  /** What was appended is there after `close()` and `open()`. */
  readonly kept: boolean
  /** Several stores may be open on one log at once. */
  readonly shared: boolean
  /** Positions of commits follow each other without a gap; false where tombstones may lie between. */
  readonly dense: boolean
  /**
   * Log and consumers are kept apart, so that an older copy of the log alone can be restored: `loseCommitsAfter` removes
   * the commits above a position and nothing of the consumers.
   */
  readonly losesCommits?: boolean
  /** A call that failed is made again, unseen: what it tells of its progress is then less than what was done. */
  readonly asksAgain?: boolean
  /** How often a property is tried with random values; default 100. */
  readonly propertyRuns?: number
  /** What it adds to the meta of each commit; default: nothing. */
  readonly meta?: Meta
}

/** A store that all tests of a `describe` share, opened before them and removed after them. */
export interface SharedStore {
  readonly store: EventStore
}

/** Registers the hooks for it. Tests keep apart by the names they use: see `fresh`. */
export function openedLog(makeLog: MakeLog): SharedStore {
  let log: LogUnderTest | undefined
  let store: EventStore | undefined
  before('open a log', async () => {
    log = await makeLog()
    store = await log.open()
  })
  after('remove the log', async () => {
    await store?.close()
    await log?.remove()
  })
  return {
    get store(): EventStore {
      if (!store) throw new Error('the log is not open yet')
      return store
    },
  }
}

/** Runs `test` with a log of its own; closes whatever it opened and removes the log, also when it fails. */
export async function withLog(
  makeLog: MakeLog,
  test: (open: () => Promise<EventStore>, log: LogUnderTest) => Promise<void>,
): Promise<void> {
  const log = await makeLog()
  const stores: EventStore[] = []
  try {
    await test(async () => {
      const store = await log.open()
      stores.push(store)
      return store
    }, log)
  } finally {
    await Promise.all(stores.map((store) => store.close()))
    await log.remove()
  }
}

let names = 0

/** A name that no other test uses. */
export function fresh(prefix: string = 'Thing'): string {
  names += 1
  return `${prefix}:${process.pid}-${names}`
}

/** An event of the stream. */
export function event(stream: string, more: Partial<NewEvent> = {}): NewEvent {
  return { stream, type: 'thing.happened', data: {}, ...more }
}

/** A commit of one event. */
export function commitTo(stream: string, more: Partial<NewEvent> = {}): NewCommit {
  return { events: [event(stream, more)] }
}

/** As many numbers, from 0. */
export function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index)
}
