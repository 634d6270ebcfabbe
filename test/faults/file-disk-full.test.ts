import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { FileEventStore } from '../../adapters/file/index.ts'
import { type Appended, ephemeralKeys, type Logger, silent } from '../../lib/index.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { assertHoldsOnce, assertInvariants, wholeLog } from '../contract/event-store/invariants.ts'
import { commitTo, range } from '../contract/event-store/log-under-test.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { SmallDisk } from '../support/small-disk.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import type { OnFullDisk } from './file-on-full-disk.ts'

const FULL = /the disk is full \(ENOSPC: no space left on device, write\)/
/** So many commits, of which all but 500 are removed, are worth writing the journal anew. */
const COMMITS = 3_000

describe('an embedded store whose disk is full', () => {
  const folder = temporaryFolder()
  let disk: SmallDisk
  let clock: FakeClock
  let store: FileEventStore
  let acknowledged: Appended[]
  let warnings: { readonly event?: string; readonly err?: Error }[]

  beforeEach(async () => {
    disk = await SmallDisk.of(folder.path)
    clock = new FakeClock()
    warnings = []
    const logger: Logger = { ...silent, warn: (fields) => void warnings.push(fields) }
    store = await FileEventStore.open(folder.path, { clock, logger })
    acknowledged = []
  })
  afterEach(async () => {
    disk.restore()
    await store.close()
  })

  const append = (text: string): Promise<Appended> => store.append(commitTo('a', { data: { text } }))
  const kept = async (text: string = 'x'): Promise<void> => void acknowledged.push(await append(text))
  const told = (): string[] => warnings.map(({ event, err }) => `${event}: ${err?.message}`)
  const leftovers = (): string[] => readdirSync(folder.path).filter((name) => /replacement|new$/.test(name))

  /** Opened again it holds what was acknowledged, each once, in order, without a gap. */
  async function assertWhole({ dense = true } = {}): Promise<number> {
    await store.close()
    store = await FileEventStore.open(folder.path, { clock, logger: silent })
    const commits = await wholeLog(store)
    assertInvariants(commits, { dense })
    assertHoldsOnce(commits, acknowledged)
    await kept()
    return commits.length
  }

  it('says so to whoever writes, at once, goes on reading, and stores by itself when there is room again', async () => {
    await kept()
    const follower = new Follower(store, 0)
    disk.capacity = disk.used + 2_000
    const unsure = range(5).map(() => rejectsWith('OUTCOME_UNKNOWN', () => append('y'.repeat(1_000))))
    for (const { message } of await Promise.all(unsure)) assert.match(message, FULL)
    assert.equal(disk.room, 2_000, 'what was written of the batch is cut off again')
    for (const refused of [
      () => append('small'),
      () => store.consumers.ensure('other', 0),
      () => store.work('jobs').add([{ id: 'a', lane: 'l', dueAt: 0, body: {} }]),
    ]) {
      assert.match((await rejectsWith('STORE_UNAVAILABLE', refused)).message, FULL)
    }
    assert.equal((await store.read('a')).length, 1)
    await clock.advance(5_000)
    await rejectsWith('STORE_UNAVAILABLE', () => append('small'))

    disk.capacity = Number.POSITIVE_INFINITY
    while ((await store.end()) < 6) {
      await clock.advance(1_000)
      await new Promise(setImmediate)
    }
    await kept()
    await follower.saw(acknowledged.map(({ id }) => id))
    await follower.stop()
    assert.equal(follower.ids.length, 7, 'those that were unsure are there')
    assert.equal(await assertWhole(), 7)
  })

  it('can be closed, and holds what it had acknowledged and nothing in part when it is opened again', async () => {
    await kept()
    disk.capacity = disk.used + 2_000
    await Promise.all(range(5).map(() => rejectsWith('OUTCOME_UNKNOWN', () => append('y'.repeat(1_000)))))
    await store.close()
    disk.capacity = Number.POSITIVE_INFINITY
    assert.equal(await assertWhole(), 1)
  })

  it('cannot be opened, says why, and can be when there is room', async () => {
    await kept()
    await store.close()
    disk.capacity = 0
    const keys = ephemeralKeys()
    const fresh = `${folder.path}/fresh`
    const { message } = await rejectsWith('STORE_UNAVAILABLE', () => FileEventStore.open(fresh, { keys, clock }))
    assert.match(message, /the disk of .*fresh is full \(ENOSPC/)
    disk.capacity = Number.POSITIVE_INFINITY
    await (await FileEventStore.open(fresh, { keys, clock })).close()
    assert.equal(await assertWhole(), 1)
  })

  describe('while its journal is to be written anew', () => {
    let positions: number[]

    beforeEach(async () => {
      acknowledged = await Promise.all(range(COMMITS).map(() => append('x'.repeat(500))))
      positions = acknowledged.map(({ position }) => position)
    })

    /** Removes all but the last 500: worth it from then on. */
    const retire = async (): Promise<void> => {
      await store.retention.remove({ positions: positions.slice(0, COMMITS - 500) })
      acknowledged = acknowledged.slice(COMMITS - 500)
    }

    for (const [when, room] of [
      ['at its first line', 'none'],
      ['in the midst of it', 150_000],
    ] as const) {
      it(`keeps the former one where there is no room for the new one ${when}, leaves nothing behind, and goes on`, async function () {
        if (room === 'none' && process.platform !== 'linux') this.skip()
        // The first line is written while what is removed is told in the former one, which finds its room kept.
        if (room === 'none') disk.refuse = (name) => name.endsWith('.replacement')
        else disk.capacity = disk.used + room
        await retire()
        await store.compacted()
        assert.ok(disk.refusals > 0)
        assert.deepEqual(leftovers(), [])
        assert.deepEqual(told(), ['journal_not_rewritten: ENOSPC: no space left on device, write'])
        disk.refuse = undefined
        disk.capacity = Number.POSITIVE_INFINITY
        await Promise.all(range(20).map(() => kept()))
        assert.equal(await assertWhole({ dense: false }), 520)
      })
    }

    it('gives the new one up where an append needs its room: who appends does not hear of it', async () => {
      const reached = withResolvers()
      const goOn = withResolvers()
      const journal = disk.used
      disk.beforeSync = (bytes) => {
        if (bytes > journal / 3) return // the former one
        disk.capacity = disk.used
        reached.resolve()
        return goOn.promise
      }
      await retire()
      await reached.promise
      await Promise.all(range(20).map(() => kept('z'.repeat(1_000))))
      assert.ok(disk.refusals > 0)
      assert.deepEqual(leftovers(), [])
      disk.beforeSync = undefined
      disk.capacity = Number.POSITIVE_INFINITY
      goOn.resolve()
      await store.compacted()
      assert.deepEqual(told(), ['journal_not_rewritten: the disk is full: an append needed the room'])
      assert.equal(await assertWhole({ dense: false }), 520)
    })

    it('is read to its end before it is written anew, when the store is opened and most of it is not needed', async () => {
      disk.capacity = disk.used + 150_000
      await retire()
      await store.compacted()
      disk.capacity = Number.POSITIVE_INFINITY
      await Promise.all(range(1_000).map(() => kept('x'.repeat(8_000))))
      // Long enough between two chunks for a journal that is begun in the midst of it to be finished.
      disk.beforeRead = async () => {
        for (let turn = 0; turn < 300; turn++) await new Promise(setImmediate)
      }
      assert.equal(await assertWhole({ dense: false }), 1_500)
      disk.beforeRead = undefined
      await store.compacted()
      assert.ok(disk.used < 11_000_000)
      assert.equal(await assertWhole({ dense: false }), 1_501)
    })
  })
})

describe('an embedded store on a file system that is full', () => {
  const folder = temporaryFolder()

  it('goes on when there is room, writes its journal anew, and is whole when it is opened again', function () {
    if (process.platform !== 'linux') this.skip()
    // Only in a namespace of their own may users mount a file system.
    const script = `mount -t tmpfs -o size=4m eventstore "$1" || exit ${CANNOT_MOUNT}; exec "$2" --import ./test/support/types.mjs ./test/faults/file-on-full-disk.ts "$1"`
    const args = ['-rm', 'sh', '-c', script, 'sh', folder.path, process.execPath]
    const { stdout, stderr, status, error } = spawnSync('unshare', args, { encoding: 'utf8', cwd: fileURLToPath(ROOT) })
    if (error || status === CANNOT_MOUNT || /unshare/.test(stderr)) {
      console.log(`      no file system of the test's own: ${error?.message ?? stderr.trim()}`)
      this.skip()
    }
    assert.equal(status, 0, stderr)
    const told: OnFullDisk = JSON.parse(stdout)
    assert.equal(told.unsure, 'OUTCOME_UNKNOWN')
    assert.equal(told.refused, 'STORE_UNAVAILABLE')
    assert.match(told.message, /the disk is full \(ENOSPC/)
    assert.ok(told.acknowledged > 1_000)
    assert.deepEqual(told.lost, [])
    assert.ok(told.bytesAfter < told.bytesBefore / 2)
    assert.deepEqual(told.left, ['journal.log', 'keys.json'])
  })
})

/** What the script above ends with where it may not mount. */
const CANNOT_MOUNT = 77

const ROOT = new URL('../..', import.meta.url)

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((yes) => {
    resolve = yes
  })
  return { promise, resolve }
}
