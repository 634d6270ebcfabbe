import { execFile } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * The tarball that tests install: the one that `EVENTSTORE_TARBALL` names, so that a release tests the very file that it
 * publishes, or one that is packed into a new folder below the given one.
 */
export async function packedTarball(parent: string): Promise<string> {
  const given = process.env['EVENTSTORE_TARBALL']
  return given === undefined || given === '' ? pack(root, parent) : resolve(given)
}

/** Packs what is in a checkout, which has been built (`npm test` does), into a new folder below the given one. */
export async function pack(checkout: string, parent: string): Promise<string> {
  const folder = await mkdtemp(join(parent, 'packed-'))
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const { stdout } = await promisify(execFile)('npm', args, { cwd: checkout, maxBuffer: 64 * 1024 * 1024 })
  const [packed] = JSON.parse(stdout) as { readonly filename: string }[]
  if (packed === undefined) throw new Error('npm pack made no tarball')
  return join(folder, packed.filename)
}
