import assert from 'node:assert/strict'
import { cp, type FileHandle, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { FileEventStore } from '../../adapters/file/index.ts'
import type { Appended } from '../../lib/log/commit.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { wholeLog } from '../contract/event-store/invariants.ts'
import { commitTo, range } from '../contract/event-store/log-under-test.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** A folder as it was when the power went, in the midst of a batch that was written and not yet on the disk. */
interface Written {
  readonly folder: string
  readonly acknowledged: readonly Appended[]
  /** What the disk is sure to hold of the journal: all that was acknowledged. */
  readonly durable: Buffer
  /** What the disk holds of it where every page reached it. */
  readonly whole: Buffer
}

const batchSizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 })
const textBytes = fc.integer({ min: 0, max: 1500 })

describe('a file event store whose machine loses power while a batch is written', () => {
  const folder = temporaryFolder()
  let methods: Pick<FileHandle, 'datasync'>
  let genuine: FileHandle['datasync']
  let folders = 0

  before('find what all file handles share', async () => {
    const handle = await open(process.execPath)
    methods = Object.getPrototypeOf(handle) as FileHandle
    genuine = methods.datasync
    await handle.close()
  })
  afterEach('mend the disk', () => Object.assign(methods, { datasync: genuine }))

  async function write(acknowledgedBatches: readonly number[], lastBatch: number, text: string): Promise<Written> {
    folders += 1
    const home = join(folder.path, `${folders}`)
    const journal = join(home, 'journal.log')
    const store = await FileEventStore.open(home)
    let durable = await readFile(journal)
    methods.datasync = async function (this: FileHandle) {
      await genuine.call(this)
      durable = await readFile(journal)
    }
    const append = (): Promise<Appended> => store.append(commitTo('a', { data: { text } }))
    const acknowledged: Appended[] = []
    for (const commits of acknowledgedBatches) {
      acknowledged.push(...(await Promise.all(range(commits).map(append))))
    }
    methods.datasync = () => Promise.reject(new Error('the power is gone'))
    await Promise.all(range(lastBatch).map(() => rejectsWith('OUTCOME_UNKNOWN', append)))
    await store.close()
    Object.assign(methods, { datasync: genuine })
    return { folder: home, acknowledged, durable, whole: await readFile(journal) }
  }

  async function opened<T>(written: Written, journal: Buffer, act: (store: FileEventStore) => Promise<T>): Promise<T> {
    const copy = `${written.folder}-copy`
    await mkdir(copy)
    try {
      await cp(join(written.folder, 'keys.json'), join(copy, 'keys.json'))
      await writeFile(join(copy, 'journal.log'), journal)
      const store = await FileEventStore.open(copy)
      try {
        return await act(store)
      } finally {
        await store.close()
      }
    } finally {
      await rm(copy, { recursive: true })
    }
  }

  it('opens, keeps all that was acknowledged and nothing else in part, and goes on, whichever pages reached the disk', async () => {
    await fc.assert(
      fc.asyncProperty(
        batchSizes,
        fc.integer({ min: 1, max: 30 }),
        textBytes,
        fc.constantFrom(512, 4096),
        fc.infiniteStream(fc.boolean()),
        fc.boolean(),
        async (before, last, length, pageBytes, pages, lengthReached) => {
          const written = await write(before, last, 'x'.repeat(length))
          const image = afterPowerLoss(written, pageBytes, () => Boolean(pages.next().value), lengthReached)
          const ids = written.acknowledged.map(({ id }) => id)
          await opened(written, image, async (store) => {
            const found = (await wholeLog(store)).map(({ id }) => id)
            assert.deepEqual(found.slice(0, ids.length), ids)
            assert.ok([0, last].includes(found.length - ids.length), 'a batch was kept in part')
            const { position } = await store.append(commitTo('a'))
            assert.equal(position, found.length + 1)
          })
        },
      ),
      { numRuns: 100 },
    )
  })

  for (const [when, lastBatch] of [
    ['in front of a batch that was not acknowledged', 7],
    ['in a journal that ends with it', 0],
  ] as const) {
    it(`finds damage to any byte of what was acknowledged, ${when}, and says where it is`, async () => {
      const written = await write([3, 1, 5], lastBatch, 'some text')
      await fc.assert(
        fc.asyncProperty(
          fc.nat({ max: written.durable.length - 1 }),
          fc.integer({ min: 1, max: 255 }),
          async (at, change) => {
            const damaged = Buffer.from(written.whole)
            // Not a zero: where it is all that a page has of the batch, it looks as if the page had been lost.
            damaged.writeUInt8(damaged.readUInt8(at) ^ change || 1, at)
            const error = await rejectsWith('JOURNAL_CORRUPT', () => opened(written, damaged, async () => {}))
            assert.match(error.message, /journal\.log: line \d+, at byte \d+, .*Restore the file/)
            assert.ok(Number(/at byte (\d+)/.exec(error.message)?.[1]) <= at)
          },
        ),
        { numRuns: 100 },
      )
    })
  }
})

/** The journal where some of the pages reached the disk. What lies between them is zeros. */
function afterPowerLoss(
  { durable, whole }: Written,
  pageBytes: number,
  reached: () => boolean,
  lengthReached: boolean,
): Buffer {
  let image = Buffer.concat([durable], lengthReached ? whole.length : durable.length)
  for (let from = durable.length - (durable.length % pageBytes); from < whole.length; from += pageBytes) {
    if (!reached()) continue
    const page = whole.subarray(from, from + pageBytes)
    image = Buffer.concat([image], Math.max(image.length, from + page.length))
    page.copy(image, from)
  }
  return image
}
