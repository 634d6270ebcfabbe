import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, readdir, unlink, writeFile } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { FolderLock } from '../../adapters/file/folder-lock.ts'
import { only, present, race, rejectsWith } from '../contract/event-store/expect.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { bundledProgram } from '../support/bundled-program.ts'
import { leaveDeadSocket } from '../support/dead-socket.ts'
import { StoreProcess } from '../support/store-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const LOCK_WITHOUT_DESCRIPTORS = await bundledProgram(new URL('lock-without-descriptors.ts', import.meta.url))
const LOCK_CONTENDER = await bundledProgram(new URL('lock-contender.ts', import.meta.url))

describe('the lock of a folder', () => {
  const folder = temporaryFolder()

  it('is had by one at a time, and free after its release', async () => {
    const lock = await FolderLock.take(folder.path)
    for (const _ of range(10)) await rejectsWith('FOLDER_HELD', () => FolderLock.take(folder.path))
    await lock.release()
    await lock.release()
    const next = await FolderLock.take(folder.path)
    await rejectsWith('FOLDER_HELD', () => FolderLock.take(folder.path))
    await next.release()
    assert.deepEqual(await readdir(folder.path), [])
  })

  it('is not kept by the dead, who are cleared away', async () => {
    for (const n of range(20)) await leaveDeadSocket(folder.path, `lock-${n}.sock`)
    await writeFile(join(folder.path, 'lock-file.sock'), 'not even a socket')
    await writeFile(join(folder.path, 'other.sock'), 'none of its business')
    const lock = await FolderLock.take(folder.path)
    assert.equal((await readdir(folder.path)).length, 2)
    await lock.release()
    assert.deepEqual(await readdir(folder.path), ['other.sock'])
  })

  it('goes to exactly one of 16 that want it at once among dead sockets', async () => {
    for (const round of range(20)) {
      for (const n of range(round % 4)) await leaveDeadSocket(folder.path, `lock-${n * 5}.sock`)
      const { won, lost } = await race(range(16).map(() => () => FolderLock.take(folder.path)))
      assert.deepEqual(
        lost,
        range(15).map(() => 'FOLDER_HELD'),
      )
      await rejectsWith('FOLDER_HELD', () => FolderLock.take(folder.path))
      await only(won).release()
      assert.deepEqual(await readdir(folder.path), [])
    }
  })

  it('is tried for again by one whose socket was taken for dead and removed', async () => {
    // Another contender, with a name that loses: waited for until it has decided.
    const other = createServer((socket) => {
      void readdir(folder.path).then(async (names) => {
        for (const name of names) if (name !== 'lock-z.sock') await unlink(join(folder.path, name))
        other.close()
        socket.destroy()
      })
    })
    await new Promise<void>((listening) => other.listen(join(folder.path, 'lock-z.sock'), listening))
    const lock = await FolderLock.take(folder.path)
    await rejectsWith('FOLDER_HELD', () => FolderLock.take(folder.path))
    await lock.release()
  })

  it('is refused with STORE_REFUSED where sockets disappear, and not tried for without end', async () => {
    // Contenders one after another. Each removes all other sockets when it is asked, and gives up.
    let asked = 0
    let present = createServer()
    const contend = async (): Promise<void> => {
      const server = createServer(async (socket) => {
        asked += 1
        for (const name of await readdir(folder.path)) await unlink(join(folder.path, name))
        await contend()
        server.close()
        socket.destroy()
      })
      await new Promise<void>((listening) => server.listen(join(folder.path, `lock-z${asked}.sock`), listening))
      present = server
    }
    await contend()
    const error = await rejectsWith('STORE_REFUSED', () => FolderLock.take(folder.path))
    assert.match(error.message, /cannot be locked: the socket that was made in it was gone 10 times/)
    assert.equal(asked, 10)
    await new Promise((closed) => present.close(closed))
  })

  it('is not taken from one that listens, and closes connections without an answer', async () => {
    const other = createServer((socket) => socket.destroy())
    await new Promise<void>((listening) => other.listen(join(folder.path, 'lock-z.sock'), listening))
    try {
      await rejectsWith('FOLDER_HELD', () => FolderLock.take(folder.path))
      assert.deepEqual(await readdir(folder.path), ['lock-z.sock'])
    } finally {
      await new Promise((closed) => other.close(closed))
    }
    await (await FolderLock.take(folder.path)).release()
  })

  it('is released although one that has asked for it never ends its connection', async () => {
    const lock = await FolderLock.take(folder.path)
    const stopped = createConnection({ path: join(folder.path, only(await readdir(folder.path))), allowHalfOpen: true })
    try {
      await once(stopped, 'data')
      await lock.release()
    } finally {
      stopped.destroy()
    }
    assert.deepEqual(await readdir(folder.path), [])
  })

  it('is kept by a holder that has no file descriptor left', async function () {
    if (process.platform === 'win32') this.skip()
    const holder = new StoreProcess(LOCK_WITHOUT_DESCRIPTORS, [folder.path], { openFiles: 200 })
    try {
      assert.deepEqual(await holder.next(), { held: true })
      for (const _ of range(12)) await rejectsWith('FOLDER_HELD', () => FolderLock.take(folder.path))
    } finally {
      await holder.kill()
    }
    await (await FolderLock.take(folder.path)).release()
  })

  it('says why it cannot be had, and not that it could not be released then', async function () {
    if (process.platform === 'win32') this.skip()
    const file = join(folder.path, 'file')
    await writeFile(file, 'in which nothing can be made or removed')
    await assert.rejects(FolderLock.take(file), { code: 'ENOTDIR', syscall: 'listen' })
  })

  it('is never had by two of five processes that fight for it', async () => {
    const [contested, inside] = [join(folder.path, 'contested'), join(folder.path, 'inside')]
    await Promise.all([mkdir(contested), mkdir(inside)])
    const fighters = range(5).map(() => new StoreProcess(LOCK_CONTENDER, [contested, inside, '100']))
    const told = await Promise.all(fighters.map((fighter) => fighter.next<{ held: number; met: number }>()))
    await Promise.all(fighters.map((fighter) => fighter.kill()))
    assert.deepEqual(
      told.map(present),
      range(5).map(() => ({ held: 100, met: 0 })),
    )
  })
})
