import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { packedTarball } from '../support/packed-tarball.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const tsc = join(root, 'node_modules', '.bin', 'tsc')

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly devDependencies: Readonly<Record<string, string>>
}

/** The entries that need a peer; the others work where nothing but the package itself is installed. */
const NEED_A_PEER = [
  './adapters/mongodb',
  './adapters/mongodb/moving',
  './plugins/back-channel-logout-receiver/mongodb',
  './plugins/telemetry',
]

/** Somebody else's project: a folder outside the checkout, so that nothing resolves by accident. */
class Consumer {
  readonly #folder: string

  static async create(name: string, parent: string): Promise<Consumer> {
    const folder = join(parent, name)
    await mkdir(folder)
    const compilerOptions = {
      ...{ module: 'nodenext', target: 'es2023', lib: ['es2023'], types: ['node'] },
      ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false },
    }
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
    return new Consumer(folder)
  }

  private constructor(folder: string) {
    this.#folder = folder
  }

  get installed(): string {
    return join(this.#folder, 'node_modules')
  }

  async install(...packages: string[]): Promise<void> {
    // The cache has most of it after the project's own install.
    await this.#run('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', ...packages)
  }

  async write(file: string, text: string): Promise<void> {
    await writeFile(join(this.#folder, file), text)
  }

  async copy(path: string, file: string): Promise<void> {
    await copyFile(path, join(this.#folder, file))
  }

  async compile(): Promise<void> {
    await this.#run(tsc, '-p', this.#folder)
  }

  async node(file: string): Promise<string> {
    return await this.#run(process.execPath, '--no-warnings', file)
  }

  async #run(command: string, ...args: string[]): Promise<string> {
    try {
      return (await run(command, args, { cwd: this.#folder })).stdout
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`)
    }
  }
}

/** The entries whose types are in terms of oidc-provider's: a project in TypeScript needs `@types/oidc-provider` for them. */
const NEED_TYPES = ['.', './plugins/account-sessions', './plugins/back-channel-logout', './plugins/admin-console']

/** A program that imports each entry, by name for its types and at run time for its values, and prints them. */
function importing(specifiers: string[]): string {
  return [
    ...specifiers.map((specifier, i) => `import type * as types${i} from '${specifier}'`),
    ...specifiers.map((specifier, i) => `const entry${i}: typeof types${i} = await import('${specifier}')`),
    ...specifiers.map((specifier, i) => `console.log('${specifier}', Object.keys(entry${i}).length)`),
  ].join('\n')
}

function assertExports(printed: string, specifiers: string[]): void {
  const lines = printed.trim().split('\n')
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    specifiers,
  )
  for (const line of lines) assert.ok(Number(line.split(' ')[1]) > 0, `an entry that exports nothing: ${line}`)
}

describe('the packed tarball', function () {
  this.timeout(300_000)
  let manifest: Manifest
  let parent: string
  let tarball: string

  const entries = (): string[] => {
    return Object.entries(manifest.exports).flatMap(([entry, target]) => (typeof target === 'string' ? [] : [entry]))
  }
  const specifier = (entry: string): string => `${manifest.name}${entry.slice(1)}`
  const asDeveloped = (...names: string[]): string[] => {
    return names.map((name) => `${name}@${manifest.devDependencies[name] ?? 'latest'}`)
  }

  before(async () => {
    manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest
    parent = await mkdtemp(join(tmpdir(), 'eventstore-packed-'))
    tarball = await packedTarball(parent)
  })

  after(async () => {
    await rm(parent, { recursive: true, force: true })
  })

  describe('installed alone, without any peer', () => {
    let consumer: Consumer

    before(async () => {
      consumer = await Consumer.create('alone', parent)
      await consumer.install(tarball, ...asDeveloped('@types/node'))
    })

    it('offers every entry that needs no peer, with types that hold: an RP needs the receiver alone', async () => {
      const typed = entries().filter((entry) => ![...NEED_A_PEER, ...NEED_TYPES].includes(entry))
      assert.ok(typed.includes('./plugins/back-channel-logout-receiver'))
      const specifiers = typed.map(specifier)
      await consumer.write('entries.ts', importing(specifiers))
      await consumer.compile()
      assertExports(await consumer.node('entries.js'), specifiers)
    })

    it('runs without types', async () => {
      const specifiers = NEED_TYPES.map(specifier)
      const imports = specifiers.map((name) => `console.log('${name}', Object.keys(await import('${name}')).length)`)
      await consumer.write('untyped.js', imports.join('\n'))
      assertExports(await consumer.node('untyped.js'), specifiers)
    })

    it('holds every document that its README links to', async () => {
      const packed = join(consumer.installed, manifest.name)
      const readme = await readFile(join(packed, 'README.md'), 'utf8')
      const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, target = '']) => target)
      assert.notEqual(links.length, 0)
      assert.deepEqual(
        links.filter((target) => !existsSync(join(packed, target))),
        [],
      )
    })

    it('holds no tests, and every source that a source map names', async () => {
      const packed = join(consumer.installed, manifest.name)
      const files = await readdir(packed, { recursive: true })
      assert.deepEqual(
        files.filter((file) => /^(test|example|node_modules)\b|\.test\.|tsbuildinfo/.test(file)),
        [],
      )
      // What builds the site of the documentation, and what it makes.
      assert.deepEqual(
        files.filter((file) => /^docs\/(\.vitepress|node_modules|package|project|public|reference)\b/.test(file)),
        [],
      )
      const maps = files.filter((file) => file.endsWith('.map'))
      assert.notEqual(maps.length, 0)
      for (const map of maps) {
        const { sources } = JSON.parse(await readFile(join(packed, map), 'utf8')) as { sources: string[] }
        for (const source of sources) {
          assert.ok(existsSync(join(packed, dirname(map), source)), `${map} names ${source}, which is not packed`)
        }
      }
    })
  })

  describe('installed beside its peers', () => {
    let consumer: Consumer

    before(async () => {
      consumer = await Consumer.create('with-peers', parent)
      const peers = asDeveloped('@opentelemetry/api', 'mongodb', 'oidc-provider', '@types/oidc-provider', '@types/node')
      await consumer.install(tarball, ...peers)
    })

    it('offers every entry', async () => {
      const specifiers = entries().map(specifier)
      await consumer.write('entries.ts', importing(specifiers))
      await consumer.compile()
      assertExports(await consumer.node('entries.js'), specifiers)
    })

    it('puts an OP on the log', async () => {
      await consumer.copy(join(root, 'test/package/consumer/op-in-memory.ts'), 'op-in-memory.ts')
      await consumer.compile()
      assert.match(await consumer.node('op-in-memory.js'), /started and stopped/)
    })
  })
})
