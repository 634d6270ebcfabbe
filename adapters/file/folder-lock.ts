import { createHash, randomBytes } from 'node:crypto'
import { access, readdir, realpath, unlink } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { platform } from 'node:os'
import { join } from 'node:path'
import { FolderHeldError } from '../../lib/errors.ts'
import { isMissing } from './folder.ts'
import { SocketAlias } from './socket-alias.ts'
import { isAlive } from './socket-probe.ts'

/**
 * Exclusive use of a folder, for as long as this process lives: a Unix socket in it that somebody listens on. A process
 * that was killed leaves the socket and no listener, which is told by connecting.
 *
 * To remove a dead socket and to take its name are two steps, and between them another process may have done both. So
 * names are never taken over. Each contender
 *
 * 1. listens on a socket of its own, with a random name,
 * 2. then asks all others in the folder. A holder answers at once; so does the system for the dead. Of two contenders
 *    the one with the lesser name wins: the greater gives up, the lesser waits until it has, or has turned out to hold
 *    the folder since before,
 * 3. holds the folder when nobody was left, and its own socket is still there: one that had taken it for dead before it
 *    listened may have removed it; then it begins again,
 * 4. removes the dead sockets.
 *
 * Of any two the one that listened later sees the other, so that both never hold the folder.
 */
export class FolderLock {
  readonly #server: Server
  readonly #path: string
  readonly #asking = new Set<Socket>()
  #held = false

  /** @throws FolderHeldError (`FOLDER_HELD`) */
  static async take(folder: string): Promise<FolderLock> {
    if (platform() === 'win32') return FolderLock.#takePipe(folder)
    const alias = await SocketAlias.make(folder)
    try {
      for (;;) {
        const lock = await FolderLock.#contend(folder, alias)
        if (lock) return lock
      }
    } finally {
      await alias.remove()
    }
  }

  /** Windows has named pipes, which end with their process. */
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
      if (await exists(join(folder, mine))) {
        lock.#hold()
        for (const dead of others) await remove(join(folder, dead))
        return lock
      }
    } catch (error) {
      await lock.release()
      throw error
    }
    await lock.release()
    return undefined
  }

  private constructor(path: string) {
    this.#path = path
    this.#server = createServer((socket) => {
      socket.on('error', () => {}) // whoever asked has gone
      if (this.#held) socket.end('held')
      else {
        this.#asking.add(socket)
        socket.on('close', () => this.#asking.delete(socket))
      }
    })
  }

  /** Lets another process have the folder. Idempotent. */
  async release(): Promise<void> {
    for (const socket of this.#asking) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
    if (platform() !== 'win32') await remove(this.#path)
  }

  #listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(path, () => {
        this.#server.unref() // that the folder is held is no reason to live on
        resolve()
      })
    })
  }

  #hold(): void {
    this.#held = true
    for (const socket of this.#asking) socket.end('held')
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function remove(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!isMissing(error)) throw error
  })
}
