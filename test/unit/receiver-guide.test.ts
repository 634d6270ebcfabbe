import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { LogoutTokenError, logoutTokenErrorCodes } from '../../plugins/back-channel-logout-receiver/index.ts'
import { logoutRequestOptionNames } from '../../plugins/back-channel-logout-receiver/logout-request.ts'

const folder = new URL('../../plugins/back-channel-logout-receiver/', import.meta.url)

describe('the guide for RP teams', () => {
  let guide: string

  before(async () => {
    guide = await readFile(new URL('../../docs/guides/receiver.md', import.meta.url), 'utf8')
  })

  it('lists each error code below the status that it is answered with', () => {
    const [, bad = '', notNow = ''] = guide.split(/^### /m)
    const listed = (part: string): string[] => [...part.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, code = '']) => code)
    const retryable = (code: (typeof logoutTokenErrorCodes)[number]): boolean => new LogoutTokenError(code).retryable
    assert.deepEqual(
      listed(bad),
      logoutTokenErrorCodes.filter((code) => !retryable(code)),
    )
    assert.deepEqual(listed(notNow), [...logoutTokenErrorCodes.filter(retryable), 'logout_failed'])
  })

  it('lists each option', () => {
    const section = guide.split(/^## /m).find((text) => text.startsWith('Options\n')) ?? ''
    const cells = [...section.matchAll(/^\| ([^|]+) \|/gm)].map(([, cell = '']) => cell)
    const listed = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name))
    assert.deepEqual(listed.sort(), [...logoutRequestOptionNames].sort())
  })
})

describe('an RP that installs the receiver', () => {
  const importsOf = async (file: URL): Promise<string[]> =>
    [...(await readFile(file, 'utf8')).matchAll(/^(?:import|export) (.*?)from '([^']+)'/gms)].map(
      ([, what = '', specifier = '']) => `${what.startsWith('type ') ? 'type ' : ''}${specifier}`,
    )
  const filesOf = async (path: string): Promise<URL[]> =>
    (await readdir(new URL(path, folder)))
      .filter((name) => name.endsWith('.ts'))
      .map((name) => new URL(path + name, folder))

  it('needs nothing but jose and Node', async () => {
    const files = [...(await filesOf('./')), ...(await filesOf('sessions/'))]
    assert.ok(files.length > 20)
    for (const file of files) {
      for (const specifier of await importsOf(file)) {
        assert.match(
          specifier,
          /^(type )?(jose|node:[a-z/]+|\.\.?\/(sessions\/)?[a-z-]+\.ts|\.\.\/\.\.\/(\.\.\/)?lib\/(clock|logger)\.ts)$/,
          `${file} imports ${specifier}`,
        )
      }
    }
    for (const [file, brings] of Object.entries({ clock: [], logger: ['./printable.ts'], printable: [] }))
      assert.deepEqual(await importsOf(new URL(`../../lib/${file}.ts`, folder)), brings, `what ${file} brings along`)
  })

  it('gives the stores on MongoDB a driver, of which they need the types alone', async () => {
    const specifiers = (await Promise.all((await filesOf('mongodb/')).map(importsOf))).flat()
    assert.deepEqual([...new Set(specifiers.filter((specifier) => specifier.includes('mongodb')))], ['type mongodb'])
  })
})
