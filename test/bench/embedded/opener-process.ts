// Opens an embedded store in a process of its own, and tells what that took: `node --expose-gc opener-process.ts <folder>`.
import { FileEventStore } from '../../../adapters/file/index.ts'
import { silent } from '../../../lib/index.ts'

/** What opening took. */
export interface Opened {
  readonly tookMs: number
  readonly cpuMs: number
  readonly commits: number
  /** What the process needs more than before, once garbage was collected. */
  readonly heldBytes: number
  /** The most that the process had of the machine's memory. */
  readonly peakBytes: number
}

const [folder = ''] = process.argv.slice(2)
const before = held()
const cpu = process.cpuUsage()
const started = performance.now()
const store = await FileEventStore.open(folder, { logger: silent })
const tookMs = performance.now() - started
const { user, system } = process.cpuUsage(cpu)
const opened: Opened = {
  tookMs,
  cpuMs: (user + system) / 1_000,
  commits: await store.end(),
  heldBytes: held() - before,
  peakBytes: process.resourceUsage().maxRSS * 1_024,
}
process.send?.(opened)
await store.close()

function held(): number {
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
