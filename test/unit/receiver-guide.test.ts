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
    const [, section = ''] = guide.split(/^## /m)
    const cells = [...section.matchAll(/^\| ([^|]+) \|/gm)].map(([, cell = '']) => cell)
    const listed = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name))
    assert.deepEqual(listed.sort(), [...logoutRequestOptionNames].sort())
  })
})

describe('an RP that installs the receiver', () => {
  it('needs nothing but jose and Node', async () => {
    const specifiers = async (file: URL): Promise<string[]> =>
      [...(await readFile(file, 'utf8')).matchAll(/(?:from|import) '([^']+)'/g)].map(([, specifier = '']) => specifier)
    for (const file of await readdir(folder)) {
      for (const specifier of await specifiers(new URL(file, folder))) {
        assert.match(
          specifier,
          /^(jose|node:[a-z/]+|\.\/[a-z-]+\.ts|\.\.\/\.\.\/lib\/clock\.ts)$/,
          `${file} imports ${specifier}`,
        )
      }
    }
    assert.deepEqual(await specifiers(new URL('../../lib/clock.ts', folder)), [])
  })
})
