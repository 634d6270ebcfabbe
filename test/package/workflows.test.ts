import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../../.github/workflows', import.meta.url))
const names = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name))

/** A job of a workflow: its key, and its lines without their indentation. */
interface Job {
  readonly key: string
  readonly lines: readonly string[]
}

/** The lines of each job. Our workflows are indented by two spaces: this reads them as they are, and no YAML in general. */
function jobsIn(text: string): Job[] {
  const lines = text.split('\n')
  const below = lines.slice(lines.indexOf('jobs:') + 1)
  const starts = below.flatMap((line, at) => (/^ {2}[\w-]+:$/.test(line) ? [at] : []))
  return starts.map((start, n) => ({
    key: (below[start] ?? '').trim().slice(0, -1),
    lines: below.slice(start + 1, starts[n + 1] ?? below.length).map((line) => line.replace(/^ {4}/, '')),
  }))
}

/** The text of each `run:` of a workflow, blocks included. */
function scriptsIn(text: string): string[] {
  const lines = text.split('\n')
  return lines.flatMap((line, at) => {
    const [, before = '', inline = ''] = /^([ -]*)run: ?(.*)$/.exec(line) ?? []
    if (before === '' && inline === '') return []
    const deeper = lines.slice(at + 1)
    const end = deeper.findIndex((next) => next.trim() !== '' && next.search(/\S/) <= before.length)
    return [[inline, ...deeper.slice(0, end < 0 ? deeper.length : end)].join('\n')]
  })
}

/** What a job may do beyond nothing, by its key: `job: { permission: access }`. */
function writesIn(jobs: readonly Job[]): string[] {
  return jobs.flatMap(({ key, lines }) =>
    lines.flatMap((line) => {
      const [, permission] = /^ {2}([\w-]+): write\b/.exec(line) ?? []
      return permission === undefined ? [] : [`${key}: ${permission}`]
    }),
  )
}

describe('the workflows', () => {
  it('are those that the documents tell of', () => {
    assert.deepEqual(names.sort(), ['ci.yml', 'codeql.yml', 'release.yml', 'scorecard.yml'])
  })

  for (const name of names) {
    const text = readFileSync(join(folder, name), 'utf8')
    const jobs = jobsIn(text)

    describe(name, () => {
      it('pins every action by the hash of a commit, and says which version that is', () => {
        const uses = text.split('\n').filter((line) => /\buses:/.test(line))
        assert.ok(uses.length > 0)
        for (const line of uses) assert.match(line, /uses: [\w-]+(\/[\w-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
      })

      it('gives nothing to a job that the job does not name', () => {
        assert.match(text, /^permissions: \{\}$/m)
        assert.ok(jobs.length > 0)
        for (const { key, lines } of jobs) assert.ok(lines.includes('permissions:'), `${key} names no permissions`)
      })

      it('does not run with the rights of this repository on what strangers send', () => {
        assert.doesNotMatch(text, /pull_request_target|workflow_run/)
      })

      it('puts nothing into a script that others write: values go through the environment', () => {
        const scripts = scriptsIn(text)
        for (const script of scripts) assert.doesNotMatch(script, /\$\{\{/)
        assert.equal(scripts.length, text.match(/\brun: /g)?.length ?? 0)
      })

      it('ends every job in time', () => {
        for (const { key, lines } of jobs) {
          const minutes = lines.flatMap((line) => /^timeout-minutes: (\d+)$/.exec(line)?.[1] ?? [])
          assert.equal(minutes.length, 1, `${key} has no time-out`)
          assert.ok(Number(minutes[0]) <= 90)
        }
      })

      it('leaves no token in the checkout', () => {
        const checkouts = text.match(/actions\/checkout@/g)?.length ?? 0
        assert.equal(text.match(/persist-credentials: false/g)?.length ?? 0, checkouts)
      })
    })
  }

  describe('the release', () => {
    const text = readFileSync(join(folder, 'release.yml'), 'utf8')
    const jobs = jobsIn(text)
    const job = (key: string): string => jobs.find((one) => one.key === key)?.lines.join('\n') ?? assert.fail(key)

    it('lets the publishing job alone prove who it is to npm, and the announcing job alone write here', () => {
      assert.deepEqual(writesIn(jobs), ['publish: id-token', 'announce: contents'])
    })

    it('publishes without a checkout, an install or a script: only the file that was built and tested', () => {
      assert.match(job('publish'), /^needs: \[build, test\]$/m)
      assert.doesNotMatch(job('publish'), /checkout|npm (ci|install|exec)|npx/)
      assert.match(job('publish'), /npm publish "\.\/release\/\$TARBALL" .*--provenance .*--ignore-scripts/)
    })

    it('compares the hash of the file before it is tested and before it is published', () => {
      for (const key of ['test', 'publish']) {
        assert.match(job(key), /sha512sum --check --strict/)
        assert.match(job(key), /SHA512: \$\{\{ needs\.build\.outputs\.sha512 \}\}/)
      }
      assert.match(job('test'), /EVENTSTORE_TARBALL: \$\{\{ github\.workspace \}\}\/release\//)
    })

    it('takes nothing from a cache that another workflow could have filled', () => {
      assert.doesNotMatch(text, /^ *cache:|actions\/cache@/m)
      assert.equal(text.match(/setup-node@/g)?.length, text.match(/package-manager-cache: false/g)?.length)
    })

    it('has no secret but the token of the run', () => {
      assert.doesNotMatch(text, /\bsecrets\./)
    })
  })

  it('are kept up to date, by updates that have been out for a week', () => {
    const text = readFileSync(join(folder, '..', 'dependabot.yml'), 'utf8')
    const ecosystems = [...text.matchAll(/package-ecosystem: (\S+)/g)].map(([, ecosystem]) => ecosystem)
    assert.deepEqual(ecosystems, ['npm', 'github-actions'])
    assert.equal(text.match(/default-days: 7/g)?.length, ecosystems.length)
    assert.equal(text.match(/^ {4}groups:/gm)?.length, ecosystems.length)
  })
})
