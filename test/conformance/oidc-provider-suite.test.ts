import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Ended {
  readonly code: number
  readonly out: string
}

/** Something in the shape of oidc-provider's tests' own adapter. */
const MODELS = `
const held = new Map()
const adapters = new Map()
export class TestAdapter {
  constructor(model) { this.model = model }
  static for(model) {
    if (!adapters.has(model)) adapters.set(model, new TestAdapter(model))
    return adapters.get(model)
  }
  key(id) { return this.model + ':' + id }
  syncFind(id) { return held.get(this.key(id)) }
  syncUpdate(id, update) { Object.assign(held.get(this.key(id)), update) }
  async upsert(id, payload) { held.set(this.key(id), { ...payload }) }
  async find(id) { return held.get(this.key(id)) }
  async findByUid(uid) { return [...held.values()].find((one) => one.uid === uid) }
  async findByUserCode() {}
  async consume(id) { held.get(this.key(id)).consumed = 1 }
  async destroy(id) { held.delete(this.key(id)) }
  async revokeByGrantId() {}
}
`

/** Tests in the shape of oidc-provider's, that look into their adapter without waiting. */
const TESTS = `
import assert from 'node:assert/strict'
import Provider, { errors, Provider as Named } from '../lib/index.js'
import { TestAdapter } from './models.js'

assert.equal(Provider, Named)
assert.equal(Provider.name, 'Provider')
assert.equal(typeof errors.InvalidClient, 'function')
const clients = [{ client_id: 'rp', client_secret: 'secret', redirect_uris: ['https://rp.example.com/cb'], grant_types: ['client_credentials', 'authorization_code'] }]
const provider = new Provider('http://127.0.0.1', {
  adapter: TestAdapter, clients, features: { clientCredentials: { enabled: true }, introspection: { enabled: true } },
})

// What the provider stores is in the tests' adapter at once.
const session = new provider.Session({ jti: 'a-session', accountId: 'alice' })
await session.save(60)
assert.equal(TestAdapter.for('Session').syncFind('a-session').accountId, 'alice')

// What a test changes there the provider reads.
const token = await new provider.AccessToken({ client: await provider.Client.find('rp'), accountId: 'alice', grantId: 'g' }).save()
assert.notEqual(await provider.AccessToken.find(token), undefined)
TestAdapter.for('AccessToken').syncUpdate(token, { scope: 'changed' })
assert.equal((await provider.AccessToken.find(token)).scope, 'changed')

// What a test stores there is good once: the log answers, not the tests' adapter, which would let it be used again.
const code = new provider.AuthorizationCode({ client: await provider.Client.find('rp'), accountId: 'alice', grantId: 'g' })
const value = await code.save()
await (await provider.AuthorizationCode.find(value)).consume()
await assert.rejects((await provider.AuthorizationCode.find(value)).consume())

// A request of the provider, over HTTP.
const server = provider.listen(0)
await new Promise((resolve) => server.once('listening', resolve))
const answer = await fetch('http://127.0.0.1:' + server.address().port + '/token', {
  method: 'POST',
  headers: { authorization: 'Basic ' + btoa('rp:secret'), 'content-type': 'application/x-www-form-urlencoded' },
  body: 'grant_type=client_credentials',
})
assert.equal(answer.status, 200, await answer.clone().text())
server.close()
console.log('the tests passed')
`

describe('oidc-provider’s own tests, run on the log', () => {
  const folder = temporaryFolder()

  /** A checkout with the real provider and tests of ours. */
  async function checkout(tests: string, manifest: Record<string, unknown> = {}): Promise<string> {
    const at = join(folder.path, 'checkout')
    const real = join(root, 'node_modules', 'oidc-provider')
    await mkdir(join(at, 'test'), { recursive: true })
    await cp(join(real, 'lib'), join(at, 'lib'), { recursive: true })
    await symlink(join(root, 'node_modules'), join(at, 'node_modules'), 'dir')
    const stated = JSON.parse(await readFile(join(real, 'package.json'), 'utf8')) as Record<string, unknown>
    const scripts = { test: 'node test/run.js' }
    await writeFile(join(at, 'package.json'), JSON.stringify({ ...stated, scripts, ...manifest }))
    await writeFile(join(at, 'test', 'models.js'), MODELS)
    await writeFile(join(at, 'test', 'run.js'), tests)
    return at
  }

  function run(...args: string[]): Promise<Ended> {
    const { NODE_OPTIONS: _, ...env } = process.env
    const all = ['test/conformance/oidc-provider-suite.mjs', ...args]
    return new Promise((resolve) => {
      execFile(process.execPath, all, { cwd: root, env, timeout: 60_000 }, (error, out, err) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out: `${out}${err}` }),
      )
    })
  }

  it('has the provider’s state on the log, and the tests’ adapter show it without waiting', async () => {
    const { code, out } = await run(await checkout(TESTS))
    assert.equal(code, 0, out)
    assert.match(out, /the tests passed/)
    assert.match(out, /On the log: 1 providers, [5-9] commits/)
  })

  it('ends with 1 where a test fails', async () => {
    const { code, out } = await run(await checkout(`${TESTS}\nassert.fail('of the tests')`))
    assert.equal(code, 1, out)
  })

  it('ends with 1 where nothing was on the log: a run that has tested something else is no success', async () => {
    const { code, out } = await run(await checkout("console.log('nothing was tested')"))
    assert.equal(code, 1, out)
    assert.match(out, /On the log: 0 providers, 0 commits/)
  })

  for (const [what, manifest, says] of [
    ['another package', { name: 'another' }, /is another, not oidc-provider/],
    ['a version that is not supported', { version: '8.8.0' }, /9\.10 or later, below 10/],
    ['what npm serves, which has no tests', { scripts: {} }, /must be a checkout of the repository/],
  ] as const) {
    it(`ends with 2, and says why, for ${what}`, async () => {
      const { code, out } = await run(await checkout(TESTS, manifest))
      assert.equal(code, 2, out)
      assert.match(out, says)
    })
  }

  it('ends with 2 without a checkout', async () => {
    assert.equal((await run()).code, 2)
  })
})
