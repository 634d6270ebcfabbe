// Appends to the file event store of the folder named in its arguments until it is killed, and tells each append that
// was acknowledged: eight writers at once, marks, versions, large and small, a consumer's checkpoint, work. With a third
// argument it kills itself at its so-manieth acknowledgement, before anything else can happen.
import { FileEventStore } from '../../adapters/file/index.ts'
import type { NewCommit } from '../../lib/log/commit.ts'

/** What it tells. */
export type Told =
  | { readonly opened: number }
  | { readonly id: string; readonly position: number; readonly mark: string }
  | { readonly checkpoint: number }
  | { readonly done: string }

const [folder = '', round = '', last = 'never'] = process.argv.slice(2)
let acknowledged = 0

function tell(said: Told): void {
  process.stdout.write(`${JSON.stringify(said)}\n`)
}

async function write(store: FileEventStore, writer: number): Promise<never> {
  const stream = `writer:${round}/${writer}`
  for (let n = 1; ; n++) {
    const mark = `${stream}#${n}`
    const text = 'x'.repeat(n % 50 === 0 ? 300_000 : n % 100)
    const commit: NewCommit = {
      events: [{ stream, type: 'written', version: n, data: { text } }],
      claims: [{ kind: 'once', mark }],
    }
    const { id, position } = await store.append(commit)
    tell({ id, position, mark })
    acknowledged += 1
    if (acknowledged === Number(last)) process.kill(process.pid, 'SIGKILL')
  }
}

async function consume(store: FileEventStore): Promise<void> {
  const seen = await store.consumers.ensure('planner', 0)
  const lease = await store.consumers.take(seen, `process ${round}`)
  if (!lease) throw new Error('a lease outlived its process')
  const jobs = store.work('jobs')
  for await (const batch of store.subscribe({ after: lease.position })) {
    for (const { position } of batch) {
      const id = `${position}/0`
      await jobs.add([{ id, lane: 'rp', dueAt: position, body: {} }])
      const [work] = await jobs.claim({ holder: round, now: Number.MAX_SAFE_INTEGER, limit: 1, perLane: 1 })
      if (work && (await jobs.finish(work, position))) tell({ done: work.id })
      if (await store.consumers.checkpoint('planner', lease.token, position)) tell({ checkpoint: position })
    }
  }
}

const store = await FileEventStore.open(folder)
tell({ opened: await store.end() })
await Promise.all([consume(store), ...Array.from({ length: 8 }, (_, writer) => write(store, writer))])
