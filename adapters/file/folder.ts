import { type FileHandle, mkdir, open, rename } from 'node:fs/promises'
import { platform } from 'node:os'
import { dirname, join } from 'node:path'
import { EventStoreError, StoreRefusedError, StoreUnavailableError } from '../../lib/errors.ts'
import { JournalFullError, JournalUnusableError } from '../memory/journal.ts'

/**
 * Creates the folder and its parents, durably, unless they exist. Does so one by one: node's `recursive: true` never
 * returns where the system answers ENOENT for an existing folder (/proc).
 */
export async function createFolder(folder: string): Promise<void> {
  try {
    await createOne(folder)
  } catch (error) {
    if (!isMissing(error) || dirname(folder) === folder) throw error
    await createFolder(dirname(folder))
    await createOne(folder)
  }
}

async function createOne(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 })
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'EEXIST') throw error
    // The process that created it may have been killed before its own sync. Best effort: the parent may be unreadable.
    await syncFolder(dirname(folder)).catch(() => undefined)
    return
  }
  await syncFolder(dirname(folder))
}

/** Creates a file atomically and durably, readable by its owner only. */
export async function createFile(folder: string, name: string, contents: string | Buffer): Promise<void> {
  const path = join(folder, name)
  const handle = await open(`${path}.new`, 'w', 0o600)
  try {
    await handle.chmod(0o600) // a file left by a crash may have other permissions
    await handle.writeFile(contents)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${path}.new`, path)
  await syncFolder(folder)
}

/** Makes the folder's list of files durable. */
export async function syncFolder(folder: string): Promise<void> {
  await syncOpened(await openFolder(folder))
}

/** Opens a folder that is to be synced later. Undefined on Windows, where that is not supported. */
export async function openFolder(folder: string): Promise<FileHandle | undefined> {
  return platform() === 'win32' ? undefined : open(folder, 'r')
}

/** As `syncFolder`, with what `openFolder` returned, which is closed. */
export async function syncOpened(opened: FileHandle | undefined): Promise<void> {
  try {
    await opened?.sync()
  } finally {
    await opened?.close()
  }
}

/**
 * Runs `act`; turns errors of the system into StoreRefusedError (`STORE_REFUSED`), and those of a full disk into
 * StoreUnavailableError (`STORE_UNAVAILABLE`).
 */
export async function refusingSystemErrors<T>(folder: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    const cause = error instanceof JournalFullError ? error.cause : error
    if (isOutOfRoom(cause)) {
      const what = `the disk of ${folder} is full (${cause.message}): make room on it, then open the store again`
      throw new StoreUnavailableError(what, { cause })
    }
    if (cause instanceof JournalUnusableError) throw new StoreRefusedError(cause.message, { cause })
    if (cause instanceof EventStoreError || !isSystemError(cause)) throw cause
    throw new StoreRefusedError(
      `${folder} cannot be used (${cause.message}): it must be a folder that this process may write to`,
      {
        cause,
      },
    )
  }
}

/** Whether the system has no room left: on the disk, or of what this user may have of it. */
export function isOutOfRoom(error: unknown): error is NodeJS.ErrnoException {
  return isSystemError(error) && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}

/** Whether a file would be larger than its file system, or the limit of this process, allows. */
export function isTooLarge(error: unknown): error is NodeJS.ErrnoException {
  return isSystemError(error) && error.code === 'EFBIG'
}

/** Whether the error is the system's ENOENT. */
export function isMissing(error: unknown): boolean {
  return isSystemError(error) && error.code === 'ENOENT'
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}
