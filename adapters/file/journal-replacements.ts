import { randomBytes } from 'node:crypto'
import { type FileHandle, lstat, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { JournalUnusableError } from '../memory/journal.ts'
import type { Replacement } from './file-journal.ts'
import { isMissing, openFolder, syncOpened } from './folder.ts'
import type { FolderLock } from './folder-lock.ts'
import { writeAll } from './journal-file.ts'
import { encodeHeader } from './journal-format.ts'

/** How the names of journals end that were to take a journal's place. */
const REPLACEMENT = '.replacement'

/**
 * Makes files that are to take the place of the journal in a folder.
 *
 * The folder may be moved while it is open, and another one put at its path, with a journal of another process. A file
 * therefore takes the place only of the very file that this process writes, and only while its lock is there.
 */
export class JournalReplacements {
  readonly #folder: string
  readonly #name: string
  readonly #lock: Pick<FolderLock, 'isInPlace'>
  /** The journal that is written now. */
  #present: FileHandle

  constructor(folder: string, name: string, lock: Pick<FolderLock, 'isInPlace'>, present: FileHandle) {
    this.#folder = folder
    this.#name = name
    this.#lock = lock
    this.#present = present
  }

  /**
   * The next one, under a name that nobody else has: a late write stays in it. The folder is opened as well, so that no
   * file descriptor is needed once the file has taken its place.
   *
   * @throws JournalUnusableError: the folder was moved or replaced
   */
  async next(): Promise<Replacement> {
    await this.#assertInPlace()
    const temporary = join(this.#folder, `${this.#name}-${randomBytes(6).toString('hex')}${REPLACEMENT}`)
    const folder = await openFolder(this.#folder)
    const file = await open(temporary, 'wx+', 0o600).catch(async (error: unknown) => {
      await folder?.close()
      throw error
    })
    const remove = async (): Promise<void> => {
      await folder?.close()
      await file.close()
      await rm(temporary, { force: true })
    }
    try {
      const { line, end } = encodeHeader(randomBytes(8).toString('base64url'))
      await writeAll(file, line, 0)
      return {
        file,
        start: end,
        rename: async () => {
          await this.#assertInPlace()
          await rename(temporary, join(this.#folder, this.#name))
          this.#present = file
        },
        settle: () => syncOpened(folder),
        remove,
      }
    } catch (error) {
      await remove()
      throw error
    }
  }

  /** What a crash has left of files that were to take its place takes room, and is nobody's. */
  static async removeLeftovers(folder: string, name: string): Promise<void> {
    for (const each of await readdir(folder)) {
      if (each.startsWith(name) && each.endsWith(REPLACEMENT)) await rm(join(folder, each), { force: true })
    }
  }

  /** @throws JournalUnusableError: another process may write what is at the journal's path */
  async #assertInPlace(): Promise<void> {
    if ((await this.#isPresent()) && (await this.#lock.isInPlace())) return
    throw new JournalUnusableError(
      `${this.#folder} was moved, replaced or removed while the store was open, or its lock was. What was stored since then is where ` +
        'that folder is now. Close the store, and open the folder that is to be used',
    )
  }

  /** Whether the file at the journal's path is the one that is written now. */
  async #isPresent(): Promise<boolean> {
    try {
      const there = await lstat(join(this.#folder, this.#name), { bigint: true })
      const mine = await this.#present.stat({ bigint: true })
      return there.dev === mine.dev && there.ino === mine.ino
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
  }
}
