import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { FileJournal } from '../../../adapters/file/file-journal.ts'
import { FileEventStore } from '../../../adapters/file/index.ts'
import { chunksOf } from '../../../adapters/file/journal-file.ts'
import { JournalReader } from '../../../adapters/file/journal-reader.ts'
import type { Entry } from '../../../adapters/memory/journal.ts'
import { silent } from '../../../lib/index.ts'
import type { NewEvent } from '../../../lib/log/commit.ts'

/** So many commits are written at a time. */
const BATCH = 500

/** A whole flow leaves so many commits. */
const COMMITS_A_FLOW = 11

/** What a flow's commits take in the journal on average is about 1,300 bytes: most of it is the sealed state. */
const SEALED = 'x'.repeat(850)

/** Makes a folder whose journal has so many commits, as many in shape and number as whole flows leave. */
export async function makeJournal(folder: string, commits: number): Promise<void> {
  await (await FileEventStore.open(folder, { logger: silent })).close()
  const handle = await open(join(folder, 'journal.log'), 'r+')
  const reader = new JournalReader('journal.log')
  for await (const _ of reader.entries(chunksOf(handle)));
  const journal = new FileJournal(handle)
  journal.continueAt(reader.end)
  let flow = newFlow()
  for (let first = 1; first <= commits; first += BATCH) {
    const entries: Entry[] = []
    for (let position = first; position < first + BATCH && position <= commits; position++) {
      if (position % COMMITS_A_FLOW === 0) flow = newFlow()
      entries.push(commitOf(position, flow))
    }
    await journal.write(entries)
  }
  await journal.close()
}

/** What the commits of one flow have in common. */
interface Flow {
  readonly session: string
  readonly streams: readonly string[]
}

function newFlow(): Flow {
  return { session: nameOf('Session'), streams: ['Grant', 'account', 'sid'].map(nameOf) }
}

function nameOf(kind: string): string {
  return `${kind}:${randomBytes(32).toString('base64url')}`
}

/** Every second one changes the session, and is numbered; the others store a token. */
function commitOf(position: number, { session, streams }: Flow): Entry {
  const isSession = position % 2 === 0
  const event: NewEvent = {
    stream: isSession ? session : nameOf('AccessToken'),
    also: streams.slice(0, isSession ? 2 : 3),
    type: 'stored',
    data: { model: isSession ? 'Session' : 'AccessToken', client_id: 'rp', exp: 1_800_000_000, sealed: SEALED },
  }
  const claims = isSession ? [`v:${session}@${position}`] : []
  const id = randomBytes(12).toString('base64url')
  const meta = { instance: 'https://op.example' }
  return { kind: 'commit', commit: { position, id, events: [event], meta, at: 1_790_000_000_000, claims } }
}
