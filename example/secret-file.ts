import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartupError } from './startup-error.ts'

/**
 * A secret that must be the same after a restart, and needs no configuration: made at the first start, kept in a file
 * that only its owner can read. In production it comes from wherever your secrets are kept.
 *
 * @throws StartupError
 */
export async function secretFile<T>(folder: string, name: string, make: () => T | Promise<T>): Promise<T> {
  const path = join(folder, name)
  const text = (await read(path)) ?? (await created(folder, path, `${JSON.stringify(await make(), null, 2)}\n`))
  try {
    return JSON.parse(text) as T
  } catch {
    throw new StartupError(`${path} is not JSON: put it back as it was, or delete the folder to begin anew`)
  }
}

async function created(folder: string, path: string, text: string): Promise<string> {
  try {
    return await create(folder, path, text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : error
    throw new StartupError(`${folder} cannot be written to (${reason}): choose another folder with STATE_FOLDER`)
  }
}

/** Makes the file whole or not at all. Another process may be doing the same: the first one's secret counts. */
async function create(folder: string, path: string, text: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  await writeFile(draft, text, { mode: 0o600 })
  try {
    await link(draft, path)
    return text
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
    return await readFile(path, 'utf8')
  } finally {
    await unlink(draft)
  }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw new StartupError(`${path} cannot be read (${error instanceof Error ? error.message : error})`)
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
