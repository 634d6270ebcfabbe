import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pages, root, type Snippet, snippetsOf } from './snippets.ts'

const snippets = pages.flatMap(snippetsOf)
const nameOf = ({ page, line }: Snippet): string => `${page}:${line}`

describe('the code in the documentation', () => {
  it('is run by a test, checked against the types, or says why not: each block', () => {
    assert.ok(snippets.length > 50)
    assert.deepEqual(snippets.filter(({ marker }) => marker === undefined).map(nameOf), [])
    for (const { marker, page, line } of snippets) {
      if (marker?.kind !== 'run') assert.ok((marker?.what.length ?? 0) > 20, `${page}:${line} does not say why`)
    }
  })

  it('is read by the test that is said to run it', () => {
    for (const { marker, page, line } of snippets) {
      if (marker?.kind !== 'run') continue
      assert.ok(existsSync(join(root, marker.what)), `${page}:${line}: ${marker.what} is not there`)
      const test = readFileSync(join(root, marker.what), 'utf8')
      assert.ok(test.includes(page), `${marker.what} does not read ${page}`)
    }
  })

  it('holds with the types of the built package', () => {
    assert.ok(existsSync(join(root, 'dist/lib/index.d.ts')), 'build first: npm run build')
    const checked = snippets.filter(
      ({ marker, page }) => marker?.kind === 'types' || (marker?.kind === 'run' && page.startsWith('docs/op/')),
    )
    assert.ok(checked.length > 20)
    const found = compile(checked)
    assert.equal(found, '')
  })

  it('would not hold with a call that is not there', () => {
    const wrong: Snippet = { page: 'x.md', line: 1, language: 'js', code: 'logout.recipt(uid)\n', marker: undefined }
    assert.match(compile([wrong]), /x\.md:2.*recipt/s)
  })
})

/** What the compiler says of them, with the places in the pages. */
function compile(blocks: readonly Snippet[]): string {
  // Inside the checkout, so that the package is found under its own name, as it was built.
  mkdirSync(join(root, 'artefacts'), { recursive: true })
  const folder = mkdtempSync(join(root, 'artefacts', 'snippets-'))
  try {
    copyFileSync(join(root, 'test/documentation/given.d.ts'), join(folder, 'given.d.ts'))
    const files = new Map(
      blocks.map((block, index) => {
        const file = `block-${index}.${block.language}`
        writeFileSync(join(folder, file), block.code)
        return [file, block] as const
      }),
    )
    const compilerOptions = {
      ...{ module: 'nodenext', target: 'es2023', lib: ['es2023'], types: ['node'], moduleDetection: 'force' },
      ...{ strict: true, noImplicitAny: false, skipLibCheck: true, allowJs: true, checkJs: true, noEmit: true },
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*'] }))
    const compiler = join(root, 'node_modules/.bin/tsc')
    const { stdout, stderr } = spawnSync(compiler, ['-p', folder, '--pretty', 'false'], { encoding: 'utf8' })
    return `${stdout}${stderr}`.replaceAll(/(?:[\w./-]*\/)?(block-\d+\.\w+)\((\d+),\d+\)/g, (place, file, line) => {
      const block = files.get(file)
      return block ? `${block.page}:${block.line + Number(line)}` : place
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
