import assert from 'node:assert/strict'
import { readdir, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { FileEventStore } from '../../adapters/file/index.ts'
import { type Appended, ephemeralKeys, silent } from '../../lib/index.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { assertHoldsOnce, assertInvariants, wholeLog } from '../contract/event-store/invariants.ts'
import { commitTo, range } from '../contract/event-store/log-under-test.ts'
import { SmallDisk } from '../support/small-disk.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** So many commits, of which all but 500 are removed, are worth writing the journal anew. */
const COMMITS = 3_000

describe('the folder of an embedded store, moved while the store is open', () => {
  const base = temporaryFolder()
  const keys = ephemeralKeys()
  let home: string
  let backup: string
  let former: FileEventStore
  let acknowledged: Appended[]
  let others: FileEventStore[]

  beforeEach(async () => {
    home = join(base.path, 'store')
    backup = join(base.path, 'store.bak')
    others = []
    former = await FileEventStore.open(home, { keys, logger: silent })
    acknowledged = await Promise.all(range(COMMITS).map(() => append(former)))
  })
  afterEach(async () => {
    await Promise.all([former, ...others].map((store) => store.close()))
  })

  const append = (store: FileEventStore): Promise<Appended> =>
    store.append(commitTo('a', { data: { text: 'x'.repeat(500) } }))

  async function open(folder: string): Promise<FileEventStore> {
    const store = await FileEventStore.open(folder, { keys, logger: silent })
    others.push(store)
    return store
  }

  /** Has the former store's journal written anew. */
  async function retire(): Promise<void> {
    const gone = acknowledged.splice(0, COMMITS - 500)
    await former.retention.remove({ positions: gone.map(({ position }) => position) })
    await former.compacted()
  }

  async function assertRefusesAll(): Promise<void> {
    for (const refused of [() => append(former), () => former.read('a'), () => former.end()]) {
      const { message } = await rejectsWith('STORE_REFUSED', refused)
      assert.match(message, /store was moved, replaced or removed while the store was open/)
      assert.doesNotMatch(message, /see to the disk/)
    }
  }

  async function assertHolds(folder: string, appended: readonly Appended[], { dense = true } = {}): Promise<void> {
    const store = await open(folder)
    const commits = await wholeLog(store)
    assertInvariants(commits, { dense })
    assertHoldsOnce(commits, appended)
    await store.close()
    assert.deepEqual(await readdir(folder), ['journal.log'])
  }

  it('does not put its journal in the place of one that another process has there, and refuses everything from then on', async () => {
    await rename(home, backup)
    const present = await open(home)
    const there = [await append(present)]
    acknowledged.push(await append(former))
    const follower = new Follower(former, await former.end())
    await retire()
    await assertRefusesAll()
    await rejectsWith('STORE_REFUSED', () => follower.ended)
    there.push(await append(present))
    await present.close()
    await assertHolds(home, there)
    await former.close()
    await assertHolds(backup, acknowledged, { dense: false })
  })

  it('does not either where it is moved in the midst of the writing', async () => {
    const disk = await SmallDisk.of(home)
    let present: FileEventStore | undefined
    disk.beforeSync = async () => {
      if (present || !(await readdir(home)).some((name) => name.endsWith('.replacement'))) return
      await rename(home, backup)
      present = await FileEventStore.open(home, { keys, logger: silent })
      others.push(present)
    }
    await retire()
    disk.restore()
    await assertRefusesAll()
    assert.ok(present)
    const there = [await append(present)]
    await present.close()
    await assertHolds(home, there)
  })

  it('stores nothing more once it has seen that its path is gone', async () => {
    await rename(home, backup)
    acknowledged.push(await append(former))
    await retire()
    await assertRefusesAll()
    await former.close()
    await assertHolds(backup, acknowledged, { dense: false })
  })

  it('stores nothing more once it has seen that its lock is gone: another process may write the same journal', async () => {
    for (const name of await readdir(home)) if (name.endsWith('.sock')) await unlink(join(home, name))
    const { ino } = await stat(join(home, 'journal.log'))
    await open(home)
    await retire()
    await assertRefusesAll()
    assert.equal((await stat(join(home, 'journal.log'))).ino, ino)
  })
})
