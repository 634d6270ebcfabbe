import { Appender } from '../../adapters/mongodb/appender.ts'
import { Collections } from '../../adapters/mongodb/collections.ts'
import { CommitMacs } from '../../adapters/mongodb/commit-macs.ts'
import { MongoConsumers } from '../../adapters/mongodb/consumers.ts'
import { commitOf, type EventsDocument } from '../../adapters/mongodb/documents.ts'
import { FollowedLog } from '../../adapters/mongodb/followed-log.ts'
import { Latency } from '../../adapters/mongodb/latency.ts'
import { MongoLiveness } from '../../adapters/mongodb/liveness.ts'
import { Pages } from '../../adapters/mongodb/pages.ts'
import { Positions } from '../../adapters/mongodb/positions.ts'
import { MongoRetention } from '../../adapters/mongodb/retention-table.ts'
import { ServerTime } from '../../adapters/mongodb/server-time.ts'
import { SharedRuns } from '../../adapters/mongodb/shared-runs.ts'
import { subscription } from '../../adapters/mongodb/subscription.ts'
import { TailPoll } from '../../adapters/mongodb/tail-poll.ts'
import { Wakeups } from '../../adapters/mongodb/wakeups.ts'
import { MongoWork } from '../../adapters/mongodb/work.ts'
import type { Clock } from '../../lib/clock.ts'
import { EventStoreError } from '../../lib/errors.ts'
import { type Commit, type NewCommit, silent } from '../../lib/index.ts'
import type { EventStore, ReadOptions } from '../../lib/log/event-store.ts'
import type { FollowListener } from '../../lib/log/follower.ts'
import { type Appending, tagOf } from './appending.ts'
import type { ServerInMemory } from './server-in-memory.ts'

/** Of all processes: what one of them has found to be genuine the others need not verify. */
const macs = new CommitMacs([{ id: '1', bytes: Buffer.alloc(32, 1) }])

/** The document as a process of the deployment would have stored it. */
export function genuine(document: object): object {
  const { h: _, ...unsigned } = document as EventsDocument
  return { ...unsigned, h: macs.sign(unsigned) }
}

/** What one process does with a log on MongoDB, on a server in memory. */
export class LogProcess {
  readonly collections: Collections
  readonly positions: Positions
  readonly latency: Latency = new Latency()
  readonly pages: Pages
  readonly #followers = new Set<FollowedLog>()
  readonly #wakeups = new Wakeups()
  readonly #tailPoll: TailPoll
  readonly #runs: SharedRuns
  readonly #appender: Appender
  readonly #retention: MongoRetention
  readonly #clock: Clock
  readonly #stopping = new AbortController()

  constructor(
    server: ServerInMemory,
    clock: Clock,
    { fastPath = false, isHinted = false }: { readonly fastPath?: boolean; readonly isHinted?: boolean } = {},
  ) {
    this.#clock = clock
    this.collections = new Collections(server.db, '', clock)
    this.collections.macs = macs
    this.positions = new Positions(this.collections, clock)
    this.#retention = new MongoRetention(this.collections, new ServerTime(this.collections, clock))
    const { collections, positions, latency } = this
    this.#tailPoll = new TailPoll({ collections, wakeups: this.#wakeups, clock, isHinted: () => isHinted })
    this.#runs = new SharedRuns(this.collections)
    this.pages = new Pages(this.collections, this.positions)
    const onAppended = (document: EventsDocument, bytes: number): void => {
      this.#runs.appended(document, bytes)
      this.#wakeups.wake()
      for (const follower of this.#followers) follower.appended(commitOf(document))
    }
    this.#appender = new Appender({ collections, positions, clock, latency, fastPath, onAppended, onBatch() {} })
  }

  /** Appends, and tells what became of it. */
  async append(commit: NewCommit): Promise<Appending> {
    const tag = tagOf(commit)
    const began = this.#clock.monotonic()
    try {
      const { id, position } = await this.#appender.append(commit)
      return { tag, id, position, began, ended: this.#clock.monotonic() }
    } catch (error) {
      if (!(error instanceof EventStoreError)) throw error
      return { tag, code: error.code, began, ended: this.#clock.monotonic() }
    }
  }

  /** Follows the log from there; what it is given is added to the list. */
  follow(after: number): { readonly commits: Commit[]; readonly ended: Promise<unknown> } {
    const commits: Commit[] = []
    const read = async (): Promise<void> => {
      for await (const page of this.#subscription(after, this.#stopping.signal)) commits.push(...page)
    }
    return { commits, ended: read().catch((error: unknown) => error) }
  }

  /** What readers of streams, consumers and loops of work need of a store. */
  get store(): EventStore {
    const { collections, positions, pages } = this
    const end = async (): Promise<number> => {
      const last = await collections.withTimeout((signal) =>
        collections.events.findOne({}, { sort: { _id: -1 }, projection: { _id: 1 }, signal }),
      )
      positions.see(Number(last?._id ?? 0))
      return Number(last?._id ?? 0)
    }
    const log = {
      get seen() {
        return positions.seen
      },
      end,
    }
    const tables = new Map<string, MongoWork>()
    const serverTime = new ServerTime(collections, this.#clock)
    return {
      append: (commit: NewCommit) => this.#appender.append(commit),
      end,
      readStreams: (streams: readonly string[], options?: ReadOptions) => pages.commits(options ?? {}, streams),
      follow: (listener: FollowListener) => this.followLog(listener),
      readAll: ({ after, limit }) => pages.commits({ from: after + 1, limit }),
      subscribe: ({ after, signal = this.#stopping.signal }) => this.#subscription(after, signal),
      consumers: new MongoConsumers(collections, log),
      liveness: new MongoLiveness(collections),
      close: async () => void (await this.stop()),
      work: (name: string) => {
        const table = tables.get(name) ?? new MongoWork(collections, name, serverTime, this.#clock)
        tables.set(name, table)
        return table
      },
    } as Partial<EventStore> as EventStore
  }

  #subscription(after: number, signal: AbortSignal): AsyncGenerator<readonly Commit[]> {
    const { collections, positions, latency } = this
    const { clock, wakeups, tailPoll } = { clock: this.#clock, wakeups: this.#wakeups, tailPoll: this.#tailPoll }
    const parts = { collections, positions, clock, latency, logger: silent, wakeups, tailPoll, runs: this.#runs }
    return subscription(parts, after, signal)
  }

  /** Follows the log for one who keeps what he has read. */
  followLog(listener: FollowListener): FollowedLog {
    const { collections, pages, latency } = this
    const parts = { collections, pages, latency, clock: this.#clock, logger: silent }
    const follower = new FollowedLog(parts, listener, () => this.#followers.delete(follower))
    this.#followers.add(follower)
    return follower
  }

  /** What a change stream does when others have appended. */
  wake(): void {
    this.#wakeups.wake()
  }

  /** Removes commits, and the tombstones among them. */
  retire(positions: readonly number[]): Promise<void> {
    const [from = 0, to = 0] = [positions[0], positions.at(-1)]
    return this.#retention.remove({ positions, tombstones: { from, to } })
  }

  stopFollowing(): void {
    this.#stopping.abort()
    for (const follower of this.#followers) follower.close()
  }

  /** Stops following, and waits for the appends. */
  async stop(): Promise<number> {
    this.stopFollowing()
    const unknown = await this.#appender.close()
    this.collections.close()
    return unknown
  }
}
