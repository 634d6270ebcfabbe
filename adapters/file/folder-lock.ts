import { createHash, randomBytes } from 'node:crypto'
import { lstat, readdir, realpath, unlink } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { platform } from 'node:os'
import { join } from 'node:path'
import { FolderHeldError, StoreRefusedError } from '../../lib/errors.ts'
import { isMissing } from './folder.ts'
import { SocketAlias } from './socket-alias.ts'
import { isAlive } from './socket-probe.ts'

/** A socket is removed by another contender once, or twice. More often, something else removes it. */
const ATTEMPTS = 10

/**
 * Exclusive use of a folder while this process lives: a Unix socket in the folder, on which the holder listens. A killed
 * process leaves a dead socket, to which nobody can connect.
 *
 * Removing a dead socket and reusing its name are two steps, and another process may do both in between. Names are
 * therefore never reused. Each contender
 *
 * 1. listens on a socket of its own with a random name,
 * 2. connects to all other sockets in the folder. A holder answers at once. A connection to a dead socket is refused. Of
 *    two contenders the one with the lesser name wins: the other gives up and listens no more, and the winner waits for
 *    that, or for the answer that the other has become the holder,
 * 3. holds the folder when no other socket is alive and its own still exists. Another contender may have removed it while
 *    nobody listened on it yet; then it starts again,
 * 4. removes the dead sockets.
 *
 * Of any two contenders the one that listened later sees the other. Two never hold the folder at the same time.
 */
export class FolderLock {
  readonly #server: Server
  readonly #path: string
  /** Of other contenders, whether they have their answer or not. */
  readonly #connections = new Set<Socket>()
  #held = false

  /**
   * @throws FolderHeldError (`FOLDER_HELD`)
   * @throws StoreRefusedError (`STORE_REFUSED`): the socket disappears again and again
   */
  static async take(folder: string): Promise<FolderLock> {
    if (platform() === 'win32') return FolderLock.#takePipe(folder)
    const alias = await SocketAlias.make(folder)
    try {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const lock = await FolderLock.#contend(folder, alias)
        if (lock) return lock
      }
      throw new StoreRefusedError(
        `${folder} cannot be locked: the socket that was made in it was gone ${ATTEMPTS} times. It must be on a file ` +
          'system that shows Unix sockets, and nothing may clear it up',
      )
    } finally {
      await alias.remove()
    }
  }

  /** On Windows: a named pipe, which ends with its process. */
  static async #takePipe(folder: string): Promise<FolderLock> {
    const name = createHash('sha256')
      .update(await realpath(folder))
      .digest('hex')
    const lock = new FolderLock(`\\\\.\\pipe\\oidc-provider-eventstore-${name}`)
    try {
      await lock.#listen(lock.#path)
    } catch (error) {
      throw error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
        ? new FolderHeldError(folder)
        : error
    }
    lock.#hold()
    return lock
  }

  static async #contend(folder: string, alias: SocketAlias): Promise<FolderLock | undefined> {
    const mine = `lock-${randomBytes(6).toString('hex')}.sock`
    const lock = new FolderLock(join(folder, mine))
    try {
      await lock.#listen(alias.path(mine))
      const others = (await readdir(folder)).filter((name) => /^lock-.*\.sock$/.test(name) && name !== mine)
      for (const other of others) {
        if (await isAlive(alias.path(other), { waitForDecision: other > mine })) throw new FolderHeldError(folder)
      }
      if (await lock.isInPlace()) {
        lock.#hold()
        for (const dead of others) await remove(join(folder, dead))
        return lock
      }
    } catch (error) {
      await lock.release().catch(() => {}) // the first error says what is wrong
      throw error
    }
    await lock.release()
    return undefined
  }

  private constructor(path: string) {
    this.#path = path
    this.#server = createServer((socket) => {
      socket.on('error', () => {}) // the other process has ended
      this.#connections.add(socket)
      socket.on('close', () => this.#connections.delete(socket))
      if (this.#held) socket.end('held')
    })
  }

  /** Whether its socket is in the folder. While it is not, another process may take the folder. */
  async isInPlace(): Promise<boolean> {
    if (platform() === 'win32') return true
    try {
      await lstat(this.#path)
      return true
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
  }

  /** Releases the folder, and waits for no other process: one that is stopped never ends its connection. Idempotent. */
  async release(): Promise<void> {
    // First: whoever is told nothing asks again, and then nobody may listen any more.
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#connections) socket.destroy()
    await closed
    if (platform() !== 'win32') await remove(this.#path)
  }

  #listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(path, resolve)
    })
  }

  #hold(): void {
    this.#held = true
    this.#server.unref() // the lock does not keep the process alive
    for (const socket of this.#connections) socket.end('held')
  }
}

async function remove(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!isMissing(error)) throw error
  })
}
