import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { putInPlace } from '../../scripts/put-in-place.mjs'

describe('a build that takes the place of another', () => {
  let root: string

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'eventstore-build-'))
  })

  afterEach(() => rm(root, { recursive: true, force: true }))

  async function built(name: string): Promise<string> {
    const folder = join(root, name)
    await mkdir(folder)
    for (const file of ['a', 'b', 'c']) await writeFile(join(folder, file), name)
    return folder
  }

  it('is whole, however many are built at the same time, and leaves nothing of the others', async () => {
    const folders = await Promise.all(Array.from({ length: 20 }, (_, n) => built(`dist.${n}`)))
    await Promise.all(folders.map((folder) => putInPlace(folder, join(root, 'dist'))))
    assert.deepEqual(await readdir(root), ['dist'])
    const files = await readdir(join(root, 'dist'))
    const texts = await Promise.all(files.map((file) => readFile(join(root, 'dist', file), 'utf8')))
    assert.deepEqual([files.sort(), new Set(texts).size], [['a', 'b', 'c'], 1])
  })

  it('leaves the former one where it cannot be put there', async () => {
    await built('dist')
    await assert.rejects(putInPlace(join(root, 'never-built'), join(root, 'dist')), { code: 'ENOENT' })
    assert.deepEqual(await readdir(root), ['dist'])
  })
})
