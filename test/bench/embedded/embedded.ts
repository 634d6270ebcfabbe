import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Candidate, contest } from '../contest.ts'
import type { Benchmark, Row } from '../report.ts'
import { makeJournal } from './large-journal.ts'
import type { Opened } from './opener-process.ts'

const SIZES = { quick: [10_000, 100_000], whole: [10_000, 100_000, 1_000_000] }
const TO = 10_000
/** Opening the largest takes longer than any turn. */
const ROUNDS = 3
const nameOf = (commits: number): string => `a journal of ${commits.toLocaleString('en')} commits`

/** How fast the embedded store reads its journal, and what it keeps of it in memory. */
export const embedded: Benchmark = {
  name: 'embedded',
  title: 'Commits read a second when an embedded store is opened, to a journal of 10,000',
  async run({ quick, commits: more }): Promise<Row[]> {
    const folder = await mkdtemp(join(tmpdir(), 'embedded-'))
    try {
      const last = new Map<string, Opened>()
      const candidates: Candidate[] = []
      const sizes = [...(quick ? SIZES.quick : SIZES.whole), ...(more ? [more] : [])]
      for (const commits of sizes) {
        const name = nameOf(commits)
        const path = join(folder, String(commits))
        await makeJournal(path, commits)
        const turn: Candidate['turn'] = async () => {
          const opened = await open(path)
          last.set(name, opened)
          return { done: commits, tookMs: opened.tookMs, cpuMs: opened.cpuMs, eachMs: [] }
        }
        candidates.push({ name, turn })
      }
      const results = await contest(candidates, nameOf(TO), { rounds: ROUNDS, turnMs: 0 })
      return results.map((result) => ({ where: {}, ...result, details: detailsOf(last.get(result.name) as Opened) }))
    } finally {
      await rm(folder, { recursive: true })
    }
  },
}

async function open(folder: string): Promise<Opened> {
  const script = fileURLToPath(new URL('opener-process.ts', import.meta.url))
  const process = fork(script, [folder], { execArgv: [...globalThis.process.execArgv, '--expose-gc'] })
  const [opened] = await once(process, 'message')
  await once(process, 'exit')
  return opened as Opened
}

function detailsOf({ tookMs, heldBytes, peakBytes, commits }: Opened): Record<string, number> {
  return {
    'opened in s': tookMs / 1_000,
    'bytes held a commit': heldBytes / commits,
    'peak RSS MB': peakBytes / 2 ** 20,
  }
}
