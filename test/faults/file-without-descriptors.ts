// Has the journal of an embedded store written anew while this process may open only so many more files, and tells what it
// meets when it may open files again.
import { closeSync, openSync } from 'node:fs'
import { FileEventStore } from '../../adapters/file/index.ts'
import { type Appended, silent } from '../../lib/index.ts'

/** What it tells. */
export interface WithoutDescriptors {
  /** How many files were open when no more could be. */
  readonly eaten: number
  /** Positions of the appends behind that, and where the log ends when it is opened again. */
  readonly appended: readonly number[]
  readonly end: number
}

const [folder = '', left = ''] = process.argv.slice(2)
const store = await FileEventStore.open(folder, { logger: silent })
const append = (): Promise<Appended> =>
  store.append({ events: [{ stream: 'a', type: 'stored', data: { text: 'x'.repeat(500) } }] })
const all = await Promise.all(Array.from({ length: 3_000 }, append))

const files: number[] = []
try {
  for (;;) files.push(openSync('/dev/null', 'r'))
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'EMFILE') throw error
}
const eaten = files.length
for (const file of files.splice(0, Number(left))) closeSync(file)
await store.retention.remove({ positions: all.slice(0, 2_500).map(({ position }) => position) })
await store.compacted()
for (const file of files) closeSync(file)

const appended = [(await append()).position, (await append()).position]
await store.close()
const again = await FileEventStore.open(folder, { logger: silent })
const told: WithoutDescriptors = { eaten, appended, end: await again.end() }
await again.close()
process.stdout.write(`${JSON.stringify(told)}\n`)
