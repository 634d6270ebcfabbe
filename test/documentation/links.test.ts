import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { anchorsOf } from '../../docs/.vitepress/anchors.mjs'
import { pages, root } from './snippets.ts'

describe('the links of the documentation', () => {
  const anchors = new Map<string, Set<string>>()

  function assertThere(page: string, target: string): void {
    const [path = '', hash] = target.split('#')
    const file = path === '' ? page : posix.normalize(posix.join(dirname(page), decodeURI(path)))
    assert.ok(existsSync(join(root, file)), `${page}: ${target} is not there`)
    if (hash === undefined || !file.endsWith('.md')) return
    if (!anchors.has(file)) anchors.set(file, anchorsOf(readFileSync(join(root, file), 'utf8')))
    assert.ok(anchors.get(file)?.has(hash), `${page}: ${target}: there is no such heading`)
  }

  for (const page of pages) {
    it(`lead to pages and headings that are there: ${page}`, () => {
      const text = withoutCode(readFileSync(join(root, page), 'utf8'))
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)[^)]*\)/g)) assertThere(page, target)
      for (const [, target = ''] of text.matchAll(/ (?:src|srcset|href)="(?!https?:)([^"]+)"/g))
        assertThere(page, target)
    })
  }

  it('are as good in comments and messages of the sources', () => {
    let count = 0
    for (const source of ['lib', 'adapters', 'plugins', 'example', 'scripts'].flatMap(filesIn)) {
      const text = readFileSync(join(root, source), 'utf8')
      for (const [, target = ''] of text.matchAll(/(?<![\w/.-])((?:docs|example)\/[\w./-]+\.md(?:#[\w-]+)?)/g)) {
        if (target.includes('api/')) continue
        count += 1
        assertThere('README.md', target)
      }
    }
    assert.ok(count > 1)
  })

  it('give every page a heading, and no page two of the first level', () => {
    for (const page of pages) {
      const text = withoutCode(readFileSync(join(root, page), 'utf8'))
      if (page === 'docs/index.md') continue
      assert.equal([...text.matchAll(/^# /gm)].length, 1, page)
    }
  })
})

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^( *)```[^\n]*\n[\s\S]*?^\1``` *$/gm, '').replaceAll(/`[^`\n]*`/g, '`code`')
}

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true })
    .map((name) => `${folder}/${String(name)}`)
    .filter((name) => /\.(ts|tsx|mjs)$/.test(name) && statSync(join(root, name)).isFile())
}
