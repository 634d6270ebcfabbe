import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdtemp, readFile, rm, symlink, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { pack, packedCheckout } from '../support/packed-tarball.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

interface Manifest {
  readonly files: readonly string[]
}

describe('the tarball', () => {
  let parent: string

  before(async () => {
    parent = await mkdtemp(join(tmpdir(), 'eventstore-reproducible-'))
  })
  after(() => rm(parent, { recursive: true, force: true }))

  it('has the same bytes when it is packed again, from a build in another folder at another time', async () => {
    const elsewhere = await checkoutElsewhere(join(parent, 'elsewhere'))
    await run('npm', ['run', 'build', '--silent'], { cwd: elsewhere })
    const yesterday = new Date(Date.now() - 86_400_000)
    await utimes(join(elsewhere, 'dist/lib/index.js'), yesterday, yesterday)
    const second = await pack(elsewhere, parent)
    const first = await packedCheckout()
    assert.notEqual(second, first)
    assert.equal(await sha512(second), await sha512(first))
  })
})

/** What a build and a pack read, copied to a folder, where nothing is built yet. */
async function checkoutElsewhere(folder: string): Promise<string> {
  const { files } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest
  const packed = files.filter((name) => !name.startsWith('!') && name !== 'dist')
  const others = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts', 'README.md', 'LICENSE']
  for (const name of [...packed, ...others]) await cp(join(root, name), join(folder, name), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
  return folder
}

async function sha512(file: string): Promise<string> {
  return createHash('sha512')
    .update(await readFile(file))
    .digest('hex')
}
