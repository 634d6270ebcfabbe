import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../support/temporary-folder.ts'

const scripts = fileURLToPath(new URL('../../scripts/release', import.meta.url))

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

function ended(command: string, args: string[], cwd: string, env: Record<string, string> = {}): Promise<Ended> {
  const { GITHUB_REPOSITORY: _, ...inherited } = process.env
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env: { ...inherited, ...env }, timeout: 60_000 }, (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err }),
    )
  })
}

describe('pack.mjs', () => {
  const folder = temporaryFolder()
  const changelog =
    '# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-05-01\n\n### Added\n\n- This.\n\n## [1.2.2] - 2026-04-01\n\n- That.\n'

  async function project(manifest: Record<string, unknown>): Promise<void> {
    await writeFile(join(folder.path, 'package.json'), JSON.stringify({ name: 'packed', ...manifest }))
    await writeFile(join(folder.path, 'CHANGELOG.md'), changelog)
  }

  const pack = (tag: string, env = {}): Promise<Ended> =>
    ended(process.execPath, [join(scripts, 'pack.mjs'), '--tag', tag, '--to', 'release'], folder.path, env)

  it('tells the name and the hashes of the tarball, and writes the notes of its version alone', async () => {
    await project({ version: '1.2.3' })
    const { code, out, err } = await pack('v1.2.3')
    assert.equal(code, 0, err)
    const outputs = Object.fromEntries(
      out
        .trim()
        .split('\n')
        .map((line) => line.split(/=(.*)/s).slice(0, 2)),
    ) as {
      readonly [name: string]: string
    }
    const digest = createHash('sha512')
      .update(await readFile(join(folder.path, 'release', 'packed-1.2.3.tgz')))
      .digest()
    assert.deepEqual(outputs, {
      tarball: 'packed-1.2.3.tgz',
      sha512: digest.toString('hex'),
      integrity: `sha512-${digest.toString('base64')}`,
      'dist-tag': 'latest',
    })
    assert.equal(await readFile(join(folder.path, 'release', 'notes.md'), 'utf8'), '### Added\n\n- This.\n')
  })

  it('gives a version before a release another tag than latest', async () => {
    await project({ version: '1.3.0-rc.1' })
    await writeFile(join(folder.path, 'CHANGELOG.md'), '## [1.3.0-rc.1] - 2026-06-01\n\n- Soon.\n')
    assert.match((await pack('v1.3.0-rc.1')).out, /^dist-tag=next$/m)
  })

  it('refuses to release while the README says that there is no release yet', async () => {
    await project({ version: '1.2.3' })
    await writeFile(join(folder.path, 'README.md'), '# Packed\n\nThere is no release yet.\n')
    const { code, err } = await pack('v1.2.3')
    assert.equal(code, 1)
    assert.match(err, /README\.md says that there is no release yet/)
    await rm(join(folder.path, 'README.md'))
  })

  const refusals = [
    { name: 'a tag of another version', tag: 'v1.2.4', manifest: { version: '1.2.3' }, says: /the tag is v1\.2\.4/ },
    { name: 'a version without a changelog', tag: 'v2.0.0', manifest: { version: '2.0.0' }, says: /no section/ },
    {
      name: 'a package that names no repository, where provenance needs one',
      tag: 'v1.2.3',
      manifest: { version: '1.2.3' },
      env: { GITHUB_REPOSITORY: 'an-owner/a-name' },
      says: /git\+https:\/\/github\.com\/an-owner\/a-name\.git/,
    },
  ]
  for (const { name, tag, manifest, env, says } of refusals) {
    it(`refuses ${name}`, async () => {
      await project(manifest)
      const { code, out, err } = await pack(tag, env)
      assert.deepEqual([code, out], [1, ''])
      assert.match(err, says)
    })
  }
})

describe('verify-published.sh', () => {
  const folder = temporaryFolder()

  /** A `npm` that serves this integrity from the given look on, and takes everything else as done. */
  async function npmThat(served: string, fromLook = 1): Promise<Record<string, string>> {
    const bin = join(folder.path, 'bin')
    await mkdir(bin, { recursive: true })
    const looks = join(folder.path, 'looks')
    const npm = `#!/usr/bin/env bash
if [ "$1" = view ]; then
  echo look >> ${looks}
  if [ "$(wc -l < ${looks})" -ge ${fromLook} ]; then echo '${served}'; else exit 1; fi
else
  echo "npm $*"
fi
`
    await writeFile(join(bin, 'npm'), npm)
    await chmod(join(bin, 'npm'), 0o755)
    return { PATH: `${bin}:${process.env['PATH'] ?? ''}`, PAUSE_SECONDS: '0' }
  }

  const verify = async (env: Record<string, string>): Promise<Ended> =>
    ended('bash', [join(scripts, 'verify-published.sh'), 'sha512-tested'], folder.path, env)

  it('waits for the registry, and has the signatures and the provenance checked', async () => {
    const { code, out, err } = await verify(await npmThat('sha512-tested', 3))
    assert.equal(code, 0, err)
    assert.match(out, /is what was tested[\s\S]*npm install .*--ignore-scripts[\s\S]*npm audit signatures/)
    assert.equal((await readFile(join(folder.path, 'looks'), 'utf8')).trim().split('\n').length, 3)
  })

  it('fails where another file is served than the one that was tested', async () => {
    const { code, err } = await verify(await npmThat('sha512-another'))
    assert.equal(code, 1)
    assert.match(err, /served with sha512-another; what was tested has sha512-tested/)
  })

  it('gives up where nothing is served after twenty looks', async () => {
    const { code, err } = await verify(await npmThat('never', 1_000))
    assert.equal(code, 1)
    assert.match(err, /not served after 20 tries/)
  })
})
