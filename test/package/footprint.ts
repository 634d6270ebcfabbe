import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Scripts that npm runs when a package is installed from the registry. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall']

/** What a project has installed. */
export interface Footprint {
  /** Names of the packages that came along with this one. */
  readonly others: readonly string[]
  /** Bytes of this package alone, and of all that came. */
  readonly own: number
  readonly all: number
  /** Names of the packages that came for the project's development: they do not count. */
  readonly development: readonly string[]
}

interface Place {
  readonly dev?: boolean
  readonly devOptional?: boolean
}

export async function footprintOf(modules: string, name: string): Promise<Footprint> {
  const lock = JSON.parse(await readFile(join(modules, '.package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, Place>>
  }
  const places = Object.entries(lock.packages).map(([path, { dev, devOptional }]) => ({
    name: path.slice('node_modules/'.length),
    isForDevelopment: (dev ?? devOptional) === true,
  }))
  const names = places.filter((place) => !place.isForDevelopment).map((place) => place.name)
  const sizes = await Promise.all(names.map((one) => bytesOf(join(modules, one))))
  return {
    others: names.filter((one) => one !== name),
    own: await bytesOf(join(modules, name)),
    all: sizes.reduce((sum, size) => sum + size, 0),
    development: places.filter((place) => place.isForDevelopment).map((place) => place.name),
  }
}

/** Of one package, without those in a `node_modules` of its own, which have places of their own. */
async function bytesOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  const own = files.filter((file) => !/[\\/]node_modules[\\/]/.test(file.slice(folder.length)))
  const sizes = await Promise.all(own.map(async (file) => (await stat(file)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** What would run at an install: the scripts, and a `binding.gyp`, which npm builds without being told. */
export async function withInstallScripts(modules: string): Promise<string[]> {
  const paths = await readdir(modules, { recursive: true })
  const found = paths.filter((path) => /(^|\/)binding\.gyp$/.test(path))
  for (const path of paths.filter((one) =>
    /(^|\/)node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(`node_modules/${one}`),
  )) {
    const { scripts = {} } = JSON.parse(await readFile(join(modules, path), 'utf8')) as {
      readonly scripts?: Readonly<Record<string, string>>
    }
    found.push(...INSTALL_SCRIPTS.filter((script) => script in scripts).map((script) => `${path}: ${script}`))
  }
  return found
}
