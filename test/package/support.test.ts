import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

interface Manifest {
  readonly engines: { readonly node: string }
  readonly peerDependencies: Readonly<Record<string, string>>
}

const manifest = JSON.parse(read('package.json')) as Manifest
const support = read('docs/support.md')

/** The cells of a row of its first table. */
function row(name: string): string[] {
  const line = support.split('\n').find((one) => one.startsWith(`| ${name}`)) ?? assert.fail(`no row ${name}`)
  return line.slice(2, -2).split(' | ')
}

function numbersIn(text: string | undefined): number[] {
  return [...(text ?? '').matchAll(/\b\d+\b/g)].map(Number)
}

/** What a matrix of a workflow lists: `node: [20, 22]`. */
function matrix(workflow: string, name: string): number[] {
  return numbersIn(new RegExp(`^ +${name}: \\[(.*)\\]$`, 'm').exec(read(`.github/workflows/${workflow}`))?.[1])
}

describe('the supported versions', () => {
  it('of Node.js are those of package.json, and are tested by every change and every release', () => {
    const [, supported, tested] = row('Node.js')
    const lines = numbersIn(supported)
    assert.equal(manifest.engines.node, '^20.19.0 || ^22.12.0 || >=24')
    assert.deepEqual(lines, [22, 24, 26])
    const all = [20, ...lines]
    assert.deepEqual(numbersIn(tested), all)
    assert.deepEqual(matrix('ci.yml', 'node'), all)
    assert.deepEqual(matrix('release.yml', 'node'), all)
  })

  it('of MongoDB are tested by every change, and its driver is that of package.json', () => {
    const [, supported, tested] = row('MongoDB server')
    assert.deepEqual(numbersIn(supported), matrix('ci.yml', 'mongodb'))
    assert.deepEqual(numbersIn(tested), matrix('ci.yml', 'mongodb'))
    assert.equal(manifest.peerDependencies['mongodb'], `^${row('MongoDB driver')[1]}.0.0`)
  })

  it('of oidc-provider and Koa are those of package.json', () => {
    assert.equal(row('oidc-provider')[1], '9.10 or later, below 10')
    assert.equal(manifest.peerDependencies['oidc-provider'], '>=9.10.0 <10')
    assert.equal(row('Koa')[1], '2.15 or later, 3')
    assert.equal(manifest.peerDependencies['koa'], '^2.15.0 || ^3.0.0')
  })

  it('are the same in the README', () => {
    const readme = read('README.md')
    assert.match(readme, /^\| Node\.js \| 22, 24, 26 /m)
    assert.match(readme, /^\| oidc-provider \| 9\.10 or later, below 10 \|/m)
    assert.match(readme, /^\| MongoDB \| 7, 8; .*Driver `mongodb` 7 \|/m)
  })
})
