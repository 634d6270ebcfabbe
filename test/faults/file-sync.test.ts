import assert from 'node:assert/strict'
import { type FileHandle, open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { FileEventStore } from '../../adapters/file/index.ts'
import { StoreRefusedError } from '../../lib/errors.ts'
import { ephemeralKeys } from '../../lib/index.ts'
import { generateSecret } from '../../lib/secrets/key-ring.ts'
import { present, rejectsWith } from '../contract/event-store/expect.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { commitTo, range } from '../contract/event-store/log-under-test.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

describe('a disk that fails', () => {
  const folder = temporaryFolder()
  let methods: Pick<FileHandle, 'datasync' | 'sync' | 'write'>
  let genuine: Pick<FileHandle, 'datasync' | 'sync' | 'write'>

  before('find what all file handles share', async () => {
    const handle = await open(process.execPath)
    methods = Object.getPrototypeOf(handle) as FileHandle
    genuine = { datasync: methods.datasync, sync: methods.sync, write: methods.write }
    await handle.close()
  })
  afterEach('mend the disk', () => Object.assign(methods, genuine))

  for (const [call, code] of [
    ['datasync', 'EIO'],
    ['datasync', 'ENOSPC'],
    ['write', 'EIO'],
  ] as const) {
    it(`at ${call} once, with ${code}, makes the store refuse everything from then on; what it had acknowledged is there when it is opened again`, async () => {
      const store = await FileEventStore.open(folder.path)
      const kept = await store.append(commitTo('a'))
      const seen = await store.consumers.ensure('planner', 0)
      const follower = new Follower(store, 0)
      await follower.saw([kept.id])

      methods[call] = () => Promise.reject(Object.assign(new Error(`${code}: no`), { code, syscall: call }))
      const unsure = range(5).map(() => store.append(commitTo('a')))
      const errors = await Promise.all(unsure.map((append) => rejectsWith('OUTCOME_UNKNOWN', () => append)))
      for (const { message } of errors) assert.match(message, new RegExp(code))
      Object.assign(methods, genuine)

      for (const refused of [
        () => store.append(commitTo('a')),
        () => store.read('a'),
        () => store.latest('a'),
        () => store.readStreams(['a']),
        () => store.readAll({ after: 0, limit: 10 }),
        () => store.end(),
        async () => store.consumers.ensure('other', 0),
        async () => store.work('jobs').get('a'),
        () => follower.ended,
      ]) {
        const error = await rejectsWith('STORE_REFUSED', refused)
        assert.ok(error instanceof StoreRefusedError && error.cause instanceof Error)
        assert.match(error.message, new RegExp(`${code}.*open the store again`))
      }
      await store.close()
      assert.deepEqual(follower.ids, [kept.id])

      const again = await FileEventStore.open(folder.path)
      assert.equal(present((await again.read('a'))[0]).id, kept.id)
      assert.deepEqual(await again.consumers.get('planner'), seen)
      assert.equal((await again.append(commitTo('b'))).position, await again.end())
      await again.close()
    })
  }

  it('since the journal may not grow any more says so, and not that something is wrong with the disk', async () => {
    const keys = ephemeralKeys()
    const store = await FileEventStore.open(folder.path, { keys })
    methods.write = async function (this: FileHandle, bytes: Buffer, offset: number, length: number, position: number) {
      const { size } = await this.stat()
      if (position + length <= size) return Reflect.apply(genuine.write, this, [bytes, offset, length, position])
      throw Object.assign(new Error('EFBIG: file too large, write'), { code: 'EFBIG', syscall: 'write' })
    } as FileHandle['write']
    const unsure = await rejectsWith('OUTCOME_UNKNOWN', () => store.append(commitTo('a')))
    const refused = await rejectsWith('STORE_REFUSED', () => store.append(commitTo('a')))
    await store.close()
    // A journal that was written with other keys is told of them when it is opened.
    const rotated = { ...keys, sealing: [{ id: 'newer', secret: generateSecret() }, ...keys.sealing] }
    const opening = await rejectsWith('STORE_REFUSED', () => FileEventStore.open(folder.path, { keys: rotated }))
    for (const { message } of [unsure, refused, opening]) {
      assert.match(message, /the journal has reached the largest size .* raise the limit/)
      assert.doesNotMatch(message, /disk|must be a folder/)
    }
    Object.assign(methods, genuine)
    await (await FileEventStore.open(folder.path, { keys: rotated })).close()
  })

  it('in the midst of a sync leaves those unsure whose turn it was, and refuses those that waited', async () => {
    const store = await FileEventStore.open(folder.path)
    const disk = withResolvers()
    const asked = withResolvers()
    methods.datasync = () => {
      asked.resolve()
      return disk.promise
    }
    const unsure = rejectsWith('OUTCOME_UNKNOWN', () => store.append(commitTo('a')))
    await asked.promise
    const waiting = rejectsWith('STORE_REFUSED', () => store.append(commitTo('a')))
    assert.deepEqual(await store.read('a'), [], 'it was shown before it was on the disk')
    disk.reject(Object.assign(new Error('EIO: no'), { code: 'EIO', syscall: 'fdatasync' }))
    await Promise.all([unsure, waiting])
    await store.close()
  })

  for (const call of ['datasync', 'sync'] as const) {
    it(`at ${call} while the store is opened makes opening fail with STORE_REFUSED, and the next opening succeed`, async () => {
      methods[call] = () => Promise.reject(Object.assign(new Error('EIO: no'), { code: 'EIO', syscall: 'fdatasync' }))
      await rejectsWith('STORE_REFUSED', () => FileEventStore.open(folder.path))
      Object.assign(methods, genuine)
      const store = await FileEventStore.open(folder.path)
      await store.close()
    })
  }

  it('at each sync while the store is opened leaves no file open', async function () {
    if (process.platform !== 'linux') this.skip()
    await (await FileEventStore.open(folder.path)).close()
    let syncs = 0
    for (const failing of range(3)) {
      syncs = 0
      methods.sync = function (this: FileHandle) {
        if (syncs++ === failing)
          return Promise.reject(Object.assign(new Error('EIO: no'), { code: 'EIO', syscall: 'fsync' }))
        return genuine.sync.call(this)
      }
      if (failing === 0)
        await (await FileEventStore.open(folder.path)).close() // of the folder above: as well as it can
      else await rejectsWith('STORE_REFUSED', () => FileEventStore.open(folder.path))
      assert.deepEqual(await openFiles(folder.path), [])
    }
  })

  it('had its folder put on the disk at each opening: whoever made the files may have been killed before', async function () {
    if (process.platform !== 'linux') this.skip()
    const home = join(folder.path, 'home')
    await (await FileEventStore.open(home)).close()
    const synced: string[] = []
    methods.sync = async function (this: FileHandle) {
      synced.push(await readlink(`/proc/self/fd/${this.fd}`))
      await genuine.sync.call(this)
    }
    await (await FileEventStore.open(home)).close()
    assert.deepEqual(synced, [folder.path, home, join(home, 'journal.log')])
  })
})

/** Paths of the files below a folder that this process has open. */
async function openFiles(path: string): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd')
  const paths = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
  return paths.filter((each) => each.startsWith(path))
}

function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (why: Error) => void } {
  let resolve = (): void => {}
  let reject = (_: Error): void => {}
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
