import assert from 'node:assert/strict'
import fc from 'fast-check'
import { recoverEnd } from '../../adapters/file/journal-recovery.ts'
import type { Entry } from '../../adapters/memory/journal.ts'
import type { DiskInMemory, PowerLoss } from '../support/disk-in-memory.ts'
import { newJournal, openJournal, readJournal } from '../support/journal-in-memory.ts'

/** How a process that writes a journal ends. */
type End =
  | { readonly kind: 'killed' }
  | { readonly kind: 'power lost'; readonly loss: PowerLoss }
  /** And the system shows what it has not written. */
  | { readonly kind: 'sync failed' }
  | { readonly kind: 'closed' }

/** What one process does with the journal. */
interface Life {
  /** Power is lost when it makes the journal's end fit to be written behind; another process then begins. */
  readonly lostAtOpening: PowerLoss | undefined
  /** Each acknowledged. */
  readonly batches: readonly Batch[]
  /** Written, not acknowledged. */
  readonly last: Batch
  readonly end: End
}

interface Batch {
  readonly entries: number
  readonly textBytes: number
}

const powerLoss: fc.Arbitrary<PowerLoss> = fc
  .record({
    pageBytes: fc.constantFrom(512, 4096),
    pages: fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
    lengthReaches: fc.boolean(),
  })
  .map(({ pageBytes, pages, lengthReaches }) => ({
    pageBytes,
    lengthReaches,
    reaches: (page) => pages[page % pages.length] ?? false,
  }))

const batch: fc.Arbitrary<Batch> = fc.record({
  entries: fc.integer({ min: 1, max: 6 }),
  textBytes: fc.integer({ min: 0, max: 1500 }),
})

const life: fc.Arbitrary<Life> = fc.record({
  lostAtOpening: fc.option(powerLoss, { nil: undefined }),
  batches: fc.array(batch, { maxLength: 4 }),
  last: batch,
  end: fc.oneof(
    fc.constant<End>({ kind: 'killed' }),
    fc.constant<End>({ kind: 'sync failed' }),
    fc.constant<End>({ kind: 'closed' }),
    powerLoss.map((loss): End => ({ kind: 'power lost', loss })),
  ),
})

function entriesOf({ entries, textBytes }: Batch, written: number): Entry[] {
  return Array.from({ length: entries }, (_, index) => {
    const position = written + index + 1
    const events = [{ stream: 's', type: 't', data: { text: 'x'.repeat(textBytes) } }]
    return { kind: 'commit', commit: { position, id: `${position}`, events, meta: {}, at: 0, claims: [] } }
  })
}

/** Lets one process after another have the journal; each must find what those before it had acknowledged. */
async function live(lives: readonly Life[]): Promise<void> {
  let file: DiskInMemory = newJournal().file
  let acknowledged: readonly Entry[] = []
  let unsure: readonly Entry[] = []
  const open = async (): ReturnType<typeof openJournal> => {
    const opened = await openJournal(file)
    const whole = [...acknowledged, ...unsure]
    const expected = opened.entries.length === acknowledged.length ? acknowledged : whole
    assert.deepEqual(opened.entries, expected)
    assert.equal(file.contents.length, opened.end, 'a torn tail was left')
    acknowledged = opened.entries
    unsure = []
    return opened
  }
  for (const { lostAtOpening, batches, last, end } of lives) {
    if (lostAtOpening) {
      file.failSync = new Error('the power is gone')
      const { reader } = await readJournal(file.contents)
      await assert.rejects(recoverEnd(file, reader), /the power is gone/)
      file = file.afterPowerLoss(lostAtOpening)
    }
    const { journal } = await open()
    for (const next of batches) {
      const entries = entriesOf(next, acknowledged.length)
      await journal.write(entries)
      acknowledged = [...acknowledged, ...entries]
    }
    if (end.kind === 'closed') {
      await journal.close()
      continue
    }
    unsure = entriesOf(last, acknowledged.length)
    file.failSync = new Error('cut off')
    file.failedSyncForgets = end.kind === 'sync failed'
    await assert.rejects(journal.write(unsure), /cut off/)
    if (end.kind === 'power lost') file = file.afterPowerLoss(end.loss)
    file.failSync = undefined
    file.failedSyncForgets = false
  }
  await open()
}

describe('a journal whose processes are killed, lose their power and have syncs that fail', () => {
  it('keeps all that was acknowledged, and each batch as a whole or not at all, however often', async () => {
    await fc.assert(fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 4 }), live), { numRuns: 600 })
  })

  it('does not trust what a failed sync left in memory', async () => {
    const batches = [{ entries: 1, textBytes: 10 }]
    const last = { entries: 3, textBytes: 1000 }
    const loss: PowerLoss = { pageBytes: 512, reaches: () => false, lengthReaches: true }
    await live([
      { lostAtOpening: undefined, batches, last, end: { kind: 'sync failed' } },
      { lostAtOpening: undefined, batches, last, end: { kind: 'power lost', loss } },
    ])
  })
})
