import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packedTarball } from '../support/packed-tarball.ts'
import { ConsumerProject } from './consumer-project.ts'
import { footprintOf, withInstallScripts } from './footprint.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

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

describe('the packed tarball', () => {
  let manifest: Manifest
  let tarball: string
  /** One project for all: it installs the package alone, and then more and more beside it. */
  let consumer: ConsumerProject

  const entries = (): string[] => {
    return Object.entries(manifest.exports).flatMap(([entry, target]) => (typeof target === 'string' ? [] : [entry]))
  }
  const specifier = (entry: string): string => `${manifest.name}${entry.slice(1)}`
  const asDeveloped = (name: string): string => manifest.devDependencies[name] ?? 'latest'
  const install = (...names: string[]): Promise<void> =>
    consumer.install(...names.map((name) => `${name}@${asDeveloped(name)}`))

  before(async () => {
    manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest
    tarball = await packedTarball()
    consumer = await ConsumerProject.create({ '@types/node': asDeveloped('@types/node') })
    await consumer.install(tarball)
  })

  after(() => consumer.remove())

  it('is small to download', async () => {
    const { size } = await stat(tarball)
    console.log(`      the tarball: ${mb(size)}`)
    assert.ok(size < 2_000_000, `${size} bytes`)
  })

  describe('installed alone, without any peer', () => {
    it('brings few packages and few bytes along, and runs no script', async () => {
      const { others, own, all, development } = await footprintOf(consumer.installed, manifest.name)
      console.log(
        `      alone: ${others.length} packages beside it (${others.join(', ')}), ${mb(own)} + ${mb(all - own)}`,
      )
      assert.deepEqual(development, ['@types/node', 'undici-types'])
      assert.ok(others.length <= 6, `${others.length} packages: ${others}`)
      assert.ok(own < 8_000_000, `${own} bytes`)
      assert.ok(all - own < 4_000_000, `${all - own} bytes`)
      assert.deepEqual(await withInstallScripts(consumer.installed), [])
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

  describe('installed beside oidc-provider and MongoDB’s driver', () => {
    before(() => install('oidc-provider', 'mongodb'))

    it('needs no script of any package to run', async () => {
      const { others, all, development } = await footprintOf(consumer.installed, manifest.name)
      console.log(`      with oidc-provider and mongodb: ${others.length} packages beside it, ${mb(all)}`)
      assert.deepEqual(development, ['@types/node', 'undici-types'])
      assert.ok(others.length <= 90, `${others.length} packages: ${others}`)
      assert.ok(all < 25_000_000, `${all} bytes`)
      assert.deepEqual(await withInstallScripts(consumer.installed), [])
      const { name } = manifest
      const program = `import('${name}').then(() => import('${name}/adapters/mongodb')).then((m) => console.log(typeof m.MongoEventStore))`
      await consumer.write('with-mongodb.js', program)
      assert.equal(await consumer.node('with-mongodb.js'), 'function\n')
    })
  })

  describe('installed beside its peers', () => {
    before(async () => {
      await install('oidc-provider', 'mongodb', '@opentelemetry/api', '@types/oidc-provider')
      await consumer.write('entries.ts', importing(entries().map(specifier)))
      await consumer.copy(join(root, 'test/package/consumer/op-in-memory.ts'), 'op-in-memory.ts')
      await consumer.compile()
    })

    it('offers every entry', async () => {
      assertExports(await consumer.node('entries.js'), entries().map(specifier))
    })

    it('puts an OP on the log', async () => {
      assert.match(await consumer.node('op-in-memory.js'), /started and stopped/)
    })
  })
})

function mb(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(2)} MB`
}
