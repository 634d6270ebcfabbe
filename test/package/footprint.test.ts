import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packedTarball } from '../support/packed-tarball.ts'

const run = promisify(execFile)
const NAME = 'oidc-provider-eventstore'

/** Scripts that npm runs when a package is installed from the registry. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall']

interface Footprint {
  /** Names of the packages that came along, without this one. */
  readonly others: readonly string[]
  /** Bytes of this package alone, and of everything. */
  readonly own: number
  readonly all: number
}

describe('the package installed into an empty project', function () {
  this.timeout(300_000)
  let parent: string
  let tarball: string

  before(async () => {
    parent = await mkdtemp(join(tmpdir(), 'eventstore-footprint-'))
    tarball = await packedTarball(parent)
  })
  after(() => rm(parent, { recursive: true, force: true }))

  async function installed(name: string, ...packages: string[]): Promise<string> {
    const folder = join(parent, name)
    await mkdir(folder)
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true }))
    const args = ['install', '--prefer-offline', '--omit=dev', '--no-audit', '--no-fund', '--ignore-scripts']
    await run('npm', [...args, tarball, ...packages], { cwd: folder })
    return join(folder, 'node_modules')
  }

  it('brings few packages and few bytes along, and runs no script', async () => {
    const modules = await installed('alone')
    const { others, own, all } = await footprintOf(modules)
    console.log(
      `      alone: ${others.length} packages beside it (${others.join(', ')}), ${mb(own)} + ${mb(all - own)}`,
    )
    assert.ok(others.length <= 6, `${others.length} packages: ${others}`)
    assert.ok(own < 8_000_000, `${own} bytes`)
    assert.ok(all - own < 4_000_000, `${all - own} bytes`)
    assert.deepEqual(await withInstallScripts(modules), [])
  })

  it('needs no script of any package to run, with oidc-provider and MongoDB’s driver', async () => {
    const modules = await installed('with-peers', 'oidc-provider@9', 'mongodb@7')
    const { others, all } = await footprintOf(modules)
    console.log(`      with oidc-provider and mongodb: ${others.length} packages beside it, ${mb(all)}`)
    assert.ok(others.length <= 90, `${others.length} packages: ${others}`)
    assert.ok(all < 25_000_000, `${all} bytes`)
    assert.deepEqual(await withInstallScripts(modules), [])
    const program = `import('${NAME}').then(() => import('${NAME}/adapters/mongodb')).then((m) => console.log(typeof m.MongoEventStore))`
    const { stdout } = await run(process.execPath, ['--no-warnings', '--eval', program], { cwd: join(modules, '..') })
    assert.equal(stdout, 'function\n')
  })

  it('is small to download', async () => {
    const { size } = await stat(tarball)
    console.log(`      the tarball: ${mb(size)}`)
    assert.ok(size < 2_000_000, `${size} bytes`)
  })
})

async function footprintOf(modules: string): Promise<Footprint> {
  const lock = JSON.parse(await readFile(join(modules, '.package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, unknown>>
  }
  const places = Object.keys(lock.packages)
  const others = places.map((place) => place.slice('node_modules/'.length)).filter((name) => name !== NAME)
  return { others, own: await bytesBelow(join(modules, NAME)), all: await bytesBelow(modules) }
}

async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** What would run at an install: the scripts, and a `binding.gyp`, which npm builds without being told. */
async function withInstallScripts(modules: string): Promise<string[]> {
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

function mb(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(2)} MB`
}
