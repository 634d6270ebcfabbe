import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { LogForgedError, StoreUnavailableError } from '../../lib/index.ts'
import { LogoutTokenError, logoutTokenErrorCodes } from '../../plugins/back-channel-logout-receiver/index.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(root, 'docs/errors')
const pages = new Map(
  readdirSync(folder)
    .filter((name) => name !== 'README.md')
    .map((name) => [name.replace(/\.md$/, ''), readFileSync(join(folder, name), 'utf8')]),
)

describe('the pages of the error codes', () => {
  it('are those of the codes that the sources have, all of them and no others', () => {
    assert.deepEqual([...pages.keys()].sort(), [...codes()].sort())
  })

  for (const [code, page] of pages) {
    it(`say what ${code} means, how it comes and what to do`, () => {
      const [, meaning = ''] = page.split('\n\n')
      assert.equal(page.split('\n')[0], `# ${code}`)
      assert.match(meaning, /^[A-Z`].{15,}\.$/)
      for (const heading of ['How it comes', 'What to do']) {
        const [, text = ''] = page.split(`## ${heading}\n\n`)
        assert.ok((text.split('\n## ')[0] ?? '').trim().length > 20, `"${heading}" is empty`)
      }
    })
  }

  it('are listed, each with what it means', () => {
    const index = readFileSync(join(folder, 'README.md'), 'utf8')
    const rows = [...index.matchAll(/^\| \[`(\w+)`\]\((\w+)\.md\) \| (.*) \|$/gm)]
    assert.deepEqual(rows.map(([, code]) => code).sort(), [...pages.keys()].sort())
    for (const [, code = '', file, meaning] of rows) {
      assert.equal(file, code)
      assert.equal(meaning, pages.get(code)?.split('\n\n')[1])
    }
  })

  it('are named by the errors, where whoever prints or logs one sees it', () => {
    for (const error of [new LogForgedError('position 3'), new StoreUnavailableError('away')]) {
      assert.equal(error.documentation, `oidc-provider-eventstore/docs/errors/${error.code}.md`)
      assert.match(inspect(error), new RegExp(`documentation: '${error.documentation}'`))
    }
    const refused = new LogoutTokenError('replayed')
    assert.match(inspect(refused), /documentation: 'oidc-provider-eventstore\/docs\/errors\/replayed\.md'/)
  })

  it('move to the site as soon as that has an address', () => {
    const { homepage, files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      readonly homepage?: string
      readonly files: readonly string[]
    }
    assert.ok(files.includes('docs'), 'the errors name files of the package')
    assert.equal(
      homepage,
      undefined,
      'let the errors name pages of the site: PAGES in lib/errors.ts, pageOf() of the receiver',
    )
  })
})

/** Every code that stands in the sources. */
function codes(): Set<string> {
  const inSources = ['lib', 'adapters', 'plugins'].flatMap((part) =>
    sourcesIn(part).flatMap((source) =>
      [...source.matchAll(/(?:\bcode(?:\??:| =)|new WebError\(\s*\d+,)\s*'([A-Z_]+)'/g)].map(([, code = '']) => code),
    ),
  )
  return new Set([
    ...inSources,
    ...unionIn('lib/errors.ts', 'ErrorCode'),
    ...unionIn('lib/verify/fault.ts', 'FaultCode'),
    ...namesIn('plugins/command-line/program.ts', 'NAMES'),
    'FAILED', // what the command line calls an error that has no other name
    'STORE_FULL',
    ...logoutTokenErrorCodes,
    'logout_failed', // of an answer alone: `onLogout` threw
  ])
}

function sourcesIn(part: string): string[] {
  const names = readdirSync(join(root, part), { recursive: true }).map(String)
  return names.filter((name) => name.endsWith('.ts')).map((name) => readFileSync(join(root, part, name), 'utf8'))
}

function unionIn(file: string, type: string): string[] {
  const [, union = ''] = readFileSync(join(root, file), 'utf8').split(`export type ${type} =`)
  const members = [...(union.split('\n\n/**')[0] ?? '').matchAll(/\| '(\w+)'/g)].map(([, code = '']) => code)
  assert.ok(members.length > 10, `${type} is not read`)
  return members
}

function namesIn(file: string, constant: string): string[] {
  const [, object = ''] = readFileSync(join(root, file), 'utf8').split(`const ${constant}`)
  const found = [...(object.split('\n}')[0] ?? '').matchAll(/: '([A-Z]+)'/g)].map(([, name = '']) => name)
  assert.ok(found.length > 2, `${constant} is not read`)
  return found
}
