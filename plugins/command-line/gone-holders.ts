import type { Clock, ConsumerRecord, EventStore, Sign } from '../../lib/index.ts'
import { PARKED } from '../../lib/log/consumer.ts'
import { watchSignsOfLife } from '../../lib/log/signs-of-life.ts'
import { TABLES } from './log-status.ts'
import { counted } from './terminal.ts'

/** What a process that is gone still holds. */
export interface GoneHolder {
  readonly holder: string
  /** The last sign of life that it has left. */
  readonly sign: Sign | undefined
  readonly leases: readonly ConsumerRecord[]
  /** Tables in which work is in its hands. */
  readonly tables: readonly string[]
}

/** Who lives, and who does not and holds something all the same. */
export interface Holders {
  /** How many show that they live. */
  readonly living: number
  readonly gone: readonly GoneHolder[]
}

/** Watches them for as long as it takes: 10 s where one is gone, longer where the database answers slowly. */
export async function holdersOf(store: EventStore, clock: Clock, signal: AbortSignal): Promise<Holders> {
  const consumers = await store.consumers.list()
  const tables = [...TABLES, PARKED]
  const held = await Promise.all(tables.map(async (table) => [table, await store.work(table).holders()] as const))
  const holders = new Set(held.flatMap(([, list]) => list))
  for (const { holder } of consumers) if (holder !== undefined) holders.add(holder)
  const { living, dead } = await watchSignsOfLife({ store, clock }, holders, signal)
  const gone = [...dead].map(([holder, sign]) => ({
    holder,
    sign,
    leases: consumers.filter((consumer) => consumer.holder === holder),
    tables: held.filter(([, list]) => list.includes(holder)).map(([table]) => table),
  }))
  return { living: living.size, gone }
}

/** Gives back what it holds, as any process that lives would. What it does itself meanwhile, should it live, wins. */
export async function giveBack(
  store: EventStore,
  { leases, tables, sign }: GoneHolder,
  holder: string,
): Promise<string> {
  for (const { name, token } of leases) await store.consumers.release(name, token)
  let freed = 0
  for (const table of tables) freed += await store.work(table).free(holder)
  if (sign) await store.liveness.forget(sign)
  return heldText(leases.length, freed)
}

/** `2 leases and 3 pieces of work`. */
export function heldText(leases: number, work: number | undefined): string {
  const parts = [
    ...(leases > 0 ? [counted(leases, 'lease')] : []),
    ...(work === undefined ? ['work'] : work > 0 ? [counted(work, 'piece of work', 'pieces of work')] : []),
  ]
  return parts.length === 0 ? 'its sign of life' : parts.join(' and ')
}
