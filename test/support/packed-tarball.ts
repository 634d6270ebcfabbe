import { execFile } from 'node:child_process'
import { createHash, type Hash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** A folder for each state of the checkout that was packed. */
const KEPT = join(root, 'artefacts', 'packed')

/** One makes it, one finds it; builds may come in between. */
const MOST_TRIES = 5

/** Somebody may still install from those of other states for so long. */
const KEPT_FOR_MS = 86_400_000

/**
 * The tarball that tests install: the one that `EVENTSTORE_TARBALL` names, so that a release tests the very file that it
 * publishes, or what is packed from this checkout.
 */
export async function packedTarball(): Promise<string> {
  const given = process.env['EVENTSTORE_TARBALL']
  return given === undefined || given === '' ? packedCheckout() : resolve(given)
}

/**
 * What is packed from this checkout, which has been built (`npm test` does). npm takes seconds to pack it, so it is kept
 * until anything of it changes.
 */
export async function packedCheckout(): Promise<string> {
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    const state = await stateOf(root)
    const folder = join(KEPT, state)
    if (!existsSync(folder)) {
      await mkdir(KEPT, { recursive: true })
      await removeOld()
      const made = dirname(await pack(root, KEPT))
      if ((await stateOf(root)) === state) await putWhole(made, folder)
      else await rm(made, { recursive: true }) // a build came in between
      continue
    }
    const [tarball] = await readdir(folder)
    if (tarball === undefined) throw new Error(`${folder} is empty`)
    return join(folder, tarball)
  }
  throw new Error('what is packed changes all the time: does a build run beside the tests?')
}

/** Packs what is in a checkout, which has been built, into a new folder below the given one. */
export async function pack(checkout: string, parent: string): Promise<string> {
  const folder = await mkdtemp(join(parent, 'packed-'))
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const { stdout } = await run('npm', args, { cwd: checkout, maxBuffer: 64 * 1024 * 1024 })
  const [packed] = JSON.parse(stdout) as { readonly filename: string }[]
  if (packed === undefined) throw new Error('npm pack made no tarball')
  return join(folder, packed.filename)
}

/** A hash of all that a tarball depends on: the files, which of them are programs, and what packs them. */
async function stateOf(checkout: string): Promise<string> {
  const { files } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as {
    readonly files: readonly string[]
  }
  const { stdout: npm } = await run('npm', ['--version'])
  const hash = createHash('sha256').update(JSON.stringify([npm, process.version]))
  const isLeftOut = (path: string): boolean => files.includes(`!${path}`)
  // npm packs the last ones without being told.
  const always = (await readdir(checkout)).filter((name) =>
    /^(package\.json|(readme|licen[cs]e|copying)\b.*)$/i.test(name),
  )
  for (const path of [...files.filter((name) => !name.startsWith('!')), ...always].sort())
    await addTo(hash, checkout, path, isLeftOut)
  return hash.digest('hex')
}

async function addTo(hash: Hash, checkout: string, path: string, isLeftOut: (path: string) => boolean): Promise<void> {
  if (isLeftOut(path)) return
  const entry = await stat(join(checkout, path))
  if (entry.isDirectory()) {
    for (const name of (await readdir(join(checkout, path))).sort())
      await addTo(hash, checkout, `${path}/${name}`, isLeftOut)
  } else {
    hash.update(JSON.stringify([path, entry.mode, entry.size])).update(await readFile(join(checkout, path)))
  }
}

/** Another process may have been first, with the same. */
async function putWhole(made: string, folder: string): Promise<void> {
  try {
    await rename(made, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
    await rm(made, { recursive: true })
  }
}

async function removeOld(): Promise<void> {
  for (const name of await readdir(KEPT)) {
    const folder = join(KEPT, name)
    const { mtimeMs = Date.now() } = (await stat(folder).catch(() => undefined)) ?? {}
    if (mtimeMs < Date.now() - KEPT_FOR_MS) await rm(folder, { recursive: true, force: true })
  }
}
