import type { ConsumerRecord, EventStore, RetentionStatus } from '../../lib/index.ts'
import { withBehind } from '../../lib/log/behind.ts'
import { retentionOf } from './commands/retention.ts'

/** Work tables of this package. */
export const TABLES: readonly string[] = ['deliveries', 'endings']

/** So many rows of a table are counted at most: what is owed decides how many there are. */
export const COUNTED = 10_000

/** How a log stands. */
export interface LogStatus {
  readonly store: string
  /** The last position. */
  readonly end: number
  readonly retention: RetentionStatus
  readonly consumers: readonly (ConsumerRecord & { readonly behind: number })[]
  /** Open work by table; at most 10,000 are counted. */
  readonly work: Readonly<Record<string, number>>
  /** How many signs of life there are: several of each process, those of processes that died lately among them. */
  readonly living: number
  /** When the last commit was appended, by its writer's clock; absent: the log is empty. */
  readonly lastCommitAt?: number
}

export async function statusOf(store: EventStore, name: string): Promise<LogStatus> {
  const end = await store.end()
  const [retention, consumers, work, living, newest] = await Promise.all([
    retentionOf(store).status(),
    store.consumers.list(),
    Promise.all(TABLES.map(async (table) => [table, await countOf(store, table)] as const)),
    store.liveness.beat([]),
    newestOf(store, end),
  ])
  return {
    store: name,
    end,
    retention,
    consumers: await withBehind(store, consumers, end),
    work: Object.fromEntries(work),
    living: living.signs.length,
    ...(newest !== undefined && { lastCommitAt: newest }),
  }
}

async function countOf(store: EventStore, table: string): Promise<number> {
  return (await store.work(table).open({ limit: COUNTED })).length
}

async function newestOf(store: EventStore, end: number): Promise<number | undefined> {
  for (let after = end - 1; after >= Math.max(0, end - 100); after--) {
    const [commit] = await store.readAll({ after, limit: 1 })
    if (commit) return commit.at
  }
  return undefined
}
