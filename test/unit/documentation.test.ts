import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as errors from '../../lib/errors.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'example/README.md',
  ...markdownIn('docs'),
]
const testFiles = readdirSync(join(root, 'test'), { recursive: true })
  .map((name) => `test/${String(name)}`)
  .filter((name) => name.endsWith('.ts'))

describe('the documentation', () => {
  for (const document of documents) {
    const text = readFileSync(join(root, document), 'utf8')

    it(`links only to what is there: ${document}`, () => {
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)) {
        assert.ok(existsSync(join(root, normalize(join(dirname(document), target)))), `${target} is not there`)
      }
    })

    it(`names only tests that are there: ${document}`, () => {
      for (const [, pattern = ''] of text.matchAll(/(test\/[\w./*-]+\.test\.ts)/g)) {
        const named = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`)
        assert.ok(
          testFiles.some((file) => named.test(file)),
          `no test is called ${pattern}`,
        )
      }
    })
  }

  it('names the test of each bad input', () => {
    const guarantees = readFileSync(join(root, 'docs/guarantees.md'), 'utf8')
    const table = guarantees.slice(guarantees.indexOf('## Bad input'))
    const names = [...table.matchAll(/\| (`[^|]*`) \|$/gm)].flatMap(([, cell = '']) => cell.match(/[\w./-]+/g) ?? [])
    assert.ok(names.length > 10)
    for (const name of names) {
      assert.ok(
        testFiles.some((file) => file.endsWith(`/${name}.test.ts`) || file.endsWith(name)),
        `no test is called ${name}`,
      )
    }
  })

  it('lists every error code', () => {
    const guide = readFileSync(join(root, 'docs/guides/provider.md'), 'utf8')
    const source = readFileSync(join(root, 'lib/errors.ts'), 'utf8')
    const codes = [...source.matchAll(/readonly code = '(\w+)'/g)].map(([, code]) => code)
    assert.ok(codes.length >= Object.keys(errors).length - 1)
    for (const code of codes) assert.ok(guide.includes(`\`${code}\``), `${code} is missing`)
  })

  it('lists every log line of level error and warn that an OP writes, with its level', () => {
    const guide = readFileSync(join(root, 'docs/guides/monitoring.md'), 'utf8')
    const rows = [...guide.matchAll(/^\| (`\w+`(?:, `\w+`)*) \| (error|warn) \|/gm)]
    const told = rows.flatMap(([, names = '', level]) => namesIn(names, '`').map((name) => `${name} ${level}`))
    const sources = ['lib', 'adapters', 'plugins/back-channel-logout', 'plugins/account-sessions'].flatMap(sourcesIn)
    const logged = sources.flatMap((source) => [
      ...[...source.matchAll(/\.(error|warn)\(\s*\{[^{}]*?\bevent: ([^,}]*)/g)].flatMap(([, level, event = '']) =>
        namesIn(event, "'").map((name) => `${name} ${level}`),
      ),
      ...[...source.matchAll(/#logOnce\(\s*'(\w+)'/g)].map(([, name]) => `${name} error`),
    ])
    assert.ok(logged.length > 30)
    assert.deepEqual(told.sort(), [...new Set(logged)].sort())
  })
})

function namesIn(text: string, quote: string): string[] {
  return [...text.matchAll(new RegExp(`${quote}(\\w+)${quote}`, 'g'))].map(([, name = '']) => name)
}

function sourcesIn(folder: string): string[] {
  const names = readdirSync(join(root, folder), { recursive: true }).map(String)
  return names.filter((name) => name.endsWith('.ts')).map((name) => readFileSync(join(root, folder, name), 'utf8'))
}

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true })
    .map((name) => `${folder}/${String(name)}`)
    .filter((name) => name.endsWith('.md') && !name.includes('/api/'))
}
