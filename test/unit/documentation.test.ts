import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pages, root } from '../documentation/snippets.ts'

const testFiles = readdirSync(join(root, 'test'), { recursive: true })
  .map((name) => `test/${String(name)}`)
  .filter((name) => name.endsWith('.ts'))

describe('the documentation', () => {
  for (const document of pages) {
    const text = readFileSync(join(root, document), 'utf8')

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

  it('lists every log line of level error and warn that an OP writes, with its level', () => {
    const guide = readFileSync(join(root, 'docs/guides/monitoring.md'), 'utf8')
    const rows = [...guide.matchAll(/^\| (`\w+`(?:, `\w+`)*) \| (error|warn) \|/gm)]
    const told = rows.flatMap(([, names = '', level]) => namesIn(names, '`').map((name) => `${name} ${level}`))
    const plugins = ['back-channel-logout', 'account-sessions', 'admin-console'].map((name) => `plugins/${name}`)
    const sources = ['lib', 'adapters', ...plugins].flatMap(sourcesIn)
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
