import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const INSTALLED = fileURLToPath(new URL('../../node_modules', import.meta.url))

/** How the copy of BSON that comes with the driver says which version it is; values of other versions it refuses. */
const VERSION = /BSON_MAJOR_VERSION = \d+/

/**
 * Makes another copy of the driver, as an application has one whose libraries bring their own: its classes are not those
 * of this project's driver, and its BSON is of another major version.
 */
export async function loadSecondDriver(folder: string): Promise<typeof import('mongodb')> {
  const installed = (name: string): string => join(INSTALLED, name)
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, '@mongodb-js'), { recursive: true })
  for (const name of ['mongodb', 'bson']) await cp(installed(name), join(modules, name), { recursive: true })
  for (const name of ['@mongodb-js/saslprep', 'mongodb-connection-string-url']) {
    await symlink(installed(name), join(modules, name))
  }
  const bson = join(modules, 'bson', 'lib', 'bson.cjs')
  const source = await readFile(bson, 'utf8')
  if (!VERSION.test(source)) throw new Error('the BSON library says its version otherwise than before')
  await writeFile(bson, source.replace(VERSION, 'BSON_MAJOR_VERSION = 42'))
  const { default: driver } = await import(pathToFileURL(join(modules, 'mongodb', 'lib', 'index.js')).href)
  return driver
}
