import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js')

interface Run {
  readonly code: number
  readonly lastLine: string
  readonly output: string
}

describe('a run of the tests', () => {
  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eventstore-mocha-'))
  })

  after(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  const runOf = async (body: string, options: readonly string[] = []): Promise<Run> => {
    const file = join(folder, 'one.test.mjs')
    await writeFile(file, body)
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [mocha, ...options, file],
        { cwd: root, env: { ...process.env, EVENTSTORE_TEST_GRACE_MS: '500' } },
        (error, stdout, stderr) => {
          const code = typeof error?.code === 'number' ? error.code : 0
          resolve({ code, lastLine: stdout.split('\n').at(-2) ?? '', output: stdout + stderr })
        },
      )
    })
  }

  it('ends with the line that counts', async () => {
    const { code, lastLine } = await runOf(`
      it('passes', () => {})
      it('passes too', () => {})
      it.skip('is skipped', () => {})`)
    assert.equal(lastLine, '2 passed, 0 failed, 1 skipped')
    assert.equal(code, 0)
  })

  it('fails with a failed test, and with a failed hook', async () => {
    const { code, lastLine } = await runOf(`
      it('fails', () => { throw new Error('no') })
      describe('with a hook', () => { before(() => { throw new Error('no') }); it('never runs', () => {}) })`)
    assert.equal(lastLine, '0 passed, 2 failed, 0 skipped')
    assert.equal(code, 2)
  })

  it('fails when a test leaves something running, and names it', async () => {
    const { code, lastLine, output } = await runOf(`
      import { spawn } from 'node:child_process'
      import { createServer } from 'node:net'
      it('leaves a server', (done) => { createServer().listen(0, done) })
      it('leaves a timer', () => { setTimeout(() => {}, 60_000) })
      it('leaves a process', () => { const left = spawn('sleep', ['60']); process.on('exit', () => left.kill()) })`)
    assert.equal(lastLine, '3 passed, 1 failed, 0 skipped')
    assert.equal(code, 1)
    assert.match(output, /server listening on port \d+/)
    assert.match(output, /child process \d+: sleep 60/)
    assert.match(output, /1 × Timeout/)
  })

  it('fails when a file leaves something running, where several processes run the files', async () => {
    const body = `import { createServer } from 'node:net'
      it('leaves a server', (done) => { createServer().listen(0, done) })`
    const { code, lastLine, output } = await runOf(body, ['--parallel', '--jobs', '2'])
    assert.equal(lastLine, '1 passed, 1 failed, 0 skipped')
    assert.equal(code, 1)
    assert.match(output, /server listening on port \d+/)
  })

  for (const options of [[], ['--parallel', '--jobs', '2']]) {
    it(`fails when a line that was logged holds a secret, and names the test ${options[0] ?? ''}`, async () => {
      const { code, lastLine, output } = await runOf(
        `
        import { consoleLogger, silent } from ${JSON.stringify(join(root, 'lib/logger.ts'))}
        import { leaks } from ${JSON.stringify(join(root, 'test/support/leak-check.ts'))}
        it('logs a code', () => {
          silent.debug({ event: 'code_used', code: 'vY3nUqk1Yh2cW0rT8sJ5bL7d' }, 'a code was used')
          leaks.secret('vY3nUqk1Yh2cW0rT8sJ5bL7d', 'a code')
        })
        it('logs a token', () => consoleLogger.warn({ token: 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2ln' }, 'a token'))
        it('logs nothing', () => {})`,
        options,
      )
      assert.equal(lastLine, '3 passed, 1 failed, 0 skipped')
      assert.equal(code, 1)
      assert.match(output, /a code, in "logs a code": a code was used/)
      assert.match(output, /a JWT, in "logs a token": a token/)
    })
  }

  for (const options of [[], ['--parallel', '--jobs', '2']]) {
    it(`fails when a promise is rejected and nobody handles it ${options[0] ?? ''}`, async () => {
      const { code, lastLine, output } = await runOf(
        `
        it('forgets a promise', async () => {
          void Promise.reject(new Error('no answer'))
          await new Promise(setImmediate)
        })
        it('is told of one in time', async () => {
          const late = Promise.reject(new Error('handled'))
          await late.catch(() => {})
        })`,
        options,
      )
      assert.match(lastLine, /^1 passed, [12] failed, 0 skipped$/) // mocha counts the end of such a test, too
      assert.notEqual(code, 0)
      assert.match(output, /1\) forgets a promise[\s\S]*nobody handled it: Error: no answer/)
    })
  }

  it('fails when its process ends before its tests do', async () => {
    const { code, lastLine } = await runOf(`
      it('passes', () => {})
      it('ends the process', () => process.exit(0))`)
    assert.equal(lastLine, '1 passed, 1 failed, 0 skipped')
    assert.equal(code, 1)
  })
})
