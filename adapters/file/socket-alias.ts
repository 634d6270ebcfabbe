import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { StoreRefusedError } from '../../lib/errors.ts'

/** The longest path of a Unix socket on all systems: 104 bytes on macOS, 108 on Linux, with a NUL at the end. */
const PATH_BYTES = 103
/** A name of the greatest length. */
const LONGEST_NAME = 'lock-000000000000.sock'

/** Paths for the sockets of a folder. A folder whose path is too long for a socket is reached by a symbolic link. */
export class SocketAlias {
  readonly #folder: string
  readonly #link: string | undefined

  /** @throws StoreRefusedError (`STORE_REFUSED`) when even the path of the system's temporary folder is too long */
  static async make(folder: string): Promise<SocketAlias> {
    if (fits(folder)) return new SocketAlias(folder)
    const link = await mkdtemp(join(tmpdir(), 'oe-'))
    const alias = new SocketAlias(join(link, 'f'), link)
    try {
      if (!fits(alias.#folder)) {
        throw new StoreRefusedError(
          `no socket can be made in ${folder}: its path is too long, and so is that of ${tmpdir()}`,
        )
      }
      await symlink(resolve(folder), alias.#folder)
    } catch (error) {
      await alias.remove()
      throw error
    }
    return alias
  }

  private constructor(folder: string, link?: string) {
    this.#folder = folder
    this.#link = link
  }

  /** A path of a socket in the folder, for `listen` and `connect`. */
  path(name: string): string {
    return join(this.#folder, name)
  }

  /** Removes the link. The sockets stay in the folder. */
  async remove(): Promise<void> {
    if (this.#link !== undefined) await rm(this.#link, { recursive: true, force: true })
  }
}

function fits(folder: string): boolean {
  return Buffer.byteLength(join(folder, LONGEST_NAME)) <= PATH_BYTES
}
