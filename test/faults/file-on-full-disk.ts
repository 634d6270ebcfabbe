// Fills the file system that its argument names with an embedded store, makes room, goes on, removes most of what it has
// stored, so that the journal is written anew, opens the store again, and tells what it met.
import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileEventStore } from '../../adapters/file/index.ts'
import { type Appended, EventStoreError, silent } from '../../lib/index.ts'
import { wholeLog } from '../contract/event-store/invariants.ts'

/** What it tells. */
export interface OnFullDisk {
  /** Codes of the append that met the full disk, and of the one behind it. */
  readonly unsure: string
  readonly refused: string
  readonly message: string
  readonly acknowledged: number
  /** Positions that were acknowledged, not removed, and are not there. */
  readonly lost: readonly number[]
  /** The journal's length before most of it was removed, and afterwards. */
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** Files in the folder at the end. */
  readonly left: readonly string[]
}

const [mount = ''] = process.argv.slice(2)
const folder = join(mount, 'store')
const ballast = join(mount, 'ballast')
const acknowledged: Appended[] = []

async function append(store: FileEventStore): Promise<EventStoreError | undefined> {
  try {
    acknowledged.push(
      await store.append({ events: [{ stream: 'a', type: 'stored', data: { text: 'x'.repeat(1_000) } }] }),
    )
    return undefined
  } catch (error) {
    if (error instanceof EventStoreError) return error
    throw error
  }
}

async function appendUntilRefused(store: FileEventStore): Promise<EventStoreError> {
  for (;;) {
    const error = await append(store)
    if (error) return error
  }
}

async function goOn(store: FileEventStore): Promise<void> {
  while (await append(store)) await new Promise(setImmediate)
}

const size = async (): Promise<number> => (await stat(join(folder, 'journal.log'))).size

await writeFile(ballast, Buffer.alloc(1_500_000))
const store = await FileEventStore.open(folder, { logger: silent })
const unsure = await appendUntilRefused(store)
const refused = await appendUntilRefused(store)
await rm(ballast)
await goOn(store)

const bytesBefore = await size()
const gone = acknowledged.slice(0, -300)
await store.retention.remove({ positions: gone.map(({ position }) => position) })
await store.compacted()
await goOn(store)
await store.close()

const again = await FileEventStore.open(folder, { logger: silent })
const there = new Set((await wholeLog(again)).map(({ id }) => id))
await again.close()
const told: OnFullDisk = {
  unsure: unsure.code,
  refused: refused.code,
  message: unsure.message,
  acknowledged: acknowledged.length,
  lost: acknowledged
    .filter(({ id }) => !there.has(id))
    .flatMap(({ position }) => (position > Number(gone.at(-1)?.position) ? position : [])),
  bytesBefore,
  bytesAfter: await size(),
  left: (await readdir(folder)).sort(),
}
process.stdout.write(JSON.stringify(told))
