import { mkdir, open, rename } from 'node:fs/promises'
import { platform } from 'node:os'
import { dirname, join } from 'node:path'
import { EventStoreError, StoreRefusedError } from '../../lib/errors.ts'

/**
 * Makes the folder, with those above it, unless it is there. It survives a crash, as its later contents must. Step by
 * step, since node's `recursive: true` never comes back where the system denies that a folder is there (/proc).
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await makeBelow(folder)
  } catch (error) {
    if (!isMissing(error) || dirname(folder) === folder) throw error
    await makeFolder(dirname(folder))
    await makeBelow(folder)
  }
}

async function makeBelow(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 })
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'EEXIST') throw error
    // Whoever made it may have been killed before it had done that. Where this process may not, there is no harm.
    await syncFolder(dirname(folder)).catch(() => undefined)
    return
  }
  await syncFolder(dirname(folder))
}

/** Makes a file that is there with all its contents or not at all, whenever the machine dies. Only its owner may read it. */
export async function makeFile(folder: string, name: string, contents: string | Buffer): Promise<void> {
  const path = join(folder, name)
  const handle = await open(`${path}.new`, 'w', 0o600)
  try {
    await handle.chmod(0o600) // it may be left over from a crash, with whatever rights
    await handle.writeFile(contents)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${path}.new`, path)
  await syncFolder(folder)
}

/** Puts on the disk which files the folder has. */
export async function syncFolder(folder: string): Promise<void> {
  if (platform() === 'win32') return // cannot be asked for there
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Does something with the folder; what the system refuses comes out as StoreRefusedError (`STORE_REFUSED`). */
export async function inFolder<T>(folder: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    if (cause instanceof EventStoreError || !isSystemError(cause)) throw cause
    throw new StoreRefusedError(
      `${folder} cannot be used (${cause.message}): it must be a folder that this process may write to`,
      {
        cause,
      },
    )
  }
}

/** Whether the system says by it that there is no such file. */
export function isMissing(error: unknown): boolean {
  return isSystemError(error) && error.code === 'ENOENT'
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}
