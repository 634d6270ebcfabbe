// Builds and packs what a tag releases, and says what came of it in the form of a workflow's outputs:
//
//   node scripts/release/pack.mjs --tag v1.2.3 --to FOLDER
//
// Refuses a tag that is at odds with package.json, CHANGELOG.md or the repository. Beside the tarball it writes
// notes.md, the changelog's section of this version.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { tag: { type: 'string' }, to: { type: 'string' } } })
const folder = resolve(required('to'))
const manifest = JSON.parse(readFileSync('package.json', 'utf8'))

checkTag(required('tag'))
checkRepository(process.env.GITHUB_REPOSITORY)
checkSaysNoRelease('README.md', 'docs/start.md')
const notes = notesOf(readFileSync('CHANGELOG.md', 'utf8'), manifest.version)
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'notes.md'), notes)
for (const [name, value] of Object.entries(outputsOf(pack()))) console.log(`${name}=${value}`)

function required(option) {
  return values[option] ?? fail(`--${option} is missing`)
}

function checkTag(tag) {
  if (tag !== `v${manifest.version}`) {
    fail(`the tag is ${tag}, and package.json has version ${manifest.version}: they must be the same`)
  }
}

/** Provenance names the repository, and npm refuses a package that names another one. */
function checkRepository(actual) {
  const stated = manifest.repository?.url ?? manifest.repository
  const wanted = `git+https://github.com/${actual}.git`
  if (actual !== undefined && stated !== wanted) {
    fail(`"repository" in package.json is ${JSON.stringify(stated)}: npm takes the provenance only with "${wanted}"`)
  }
}

/** What people read before the first release, and must not read after it. */
function checkSaysNoRelease(...files) {
  for (const file of files) {
    if (existsSync(file) && /There is no release/.test(readFileSync(file, 'utf8')))
      fail(`${file} says that there is no release yet: take that out, and how to install without one`)
  }
}

function notesOf(changelog, version) {
  const heading = new RegExp(`^## \\[${version.replaceAll(/[.+]/g, '\\$&')}\\] - \\d{4}-\\d{2}-\\d{2}$`, 'm')
  const start = heading.exec(changelog)
  if (start === null) fail(`CHANGELOG.md has no section "## [${version}] - YYYY-MM-DD"`)
  const rest = changelog.slice(start.index + start[0].length)
  const end = rest.search(/^## /m)
  const text = (end < 0 ? rest : rest.slice(0, end)).trim()
  return text === '' ? fail(`the section of ${version} in CHANGELOG.md is empty`) : `${text}\n`
}

/** The name of the tarball. `prepack` builds. */
function pack() {
  const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', folder], options))
  return packed.filename
}

function outputsOf(tarball) {
  const digest = createHash('sha512')
    .update(readFileSync(join(folder, tarball)))
    .digest()
  return {
    tarball,
    sha512: digest.toString('hex'),
    integrity: `sha512-${digest.toString('base64')}`,
    'dist-tag': manifest.version.includes('-') ? 'next' : 'latest',
  }
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
