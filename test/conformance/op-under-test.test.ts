import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Running } from '../../example/running.ts'
import { silent } from '../../lib/index.ts'
import { findBrowser } from '../support/browser.ts'
import { bundledProgram } from '../support/bundled-program.ts'
import { portOutsideEphemeralRange } from '../support/free-port.ts'
import { selfSigned } from '../support/self-signed.ts'
import { readArguments } from './arguments.ts'
import { startOpUnderTest } from './op-under-test.ts'
import type { PlanOutcome } from './run-plan.ts'
import { STAND_IN_MODULES } from './stand-in-modules.ts'
import { StandInSuite } from './stand-in-suite.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const ALIAS = 'ours'

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

const COMMAND = await bundledProgram(new URL('run.ts', import.meta.url), { name: 'conformance' })

/** @param program - default: the command in one file */
function command(args: string[], program: string[] = [COMMAND]): Promise<Ended> {
  const all = [...program, ...args]
  return new Promise((resolve) => {
    execFile(process.execPath, all, { cwd: root, timeout: 240_000 }, (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err }),
    )
  })
}

describe('the command that runs the conformance suite', () => {
  for (const [args, says] of [
    [['no-such-plan'], /no plan is called no-such-plan: config, basic/],
    [['--module-seconds', 'soon'], /--module-seconds must be a number/],
    [['--poll-seconds', '0'], /--poll-seconds must be a number/],
    [['--suite', 'nowhere'], /must be URLs/],
    [['--no-such-option'], /no-such-option/],
  ] as const) {
    it(`says how it is used where it is used wrongly: ${args.join(' ')}`, () => {
      assert.match(String(readArguments([...args])), says)
    })
  }

  it('ends with 2 where it is used wrongly', async () => {
    const { code, err } = await command(
      ['no-such-plan'],
      ['--import', './test/support/types.mjs', 'test/conformance/run.ts'],
    )
    assert.equal(code, 2, err)
    assert.match(err, /no plan is called/)
  })

  describe('against a stand-in of the suite, and the example as OP over HTTPS', () => {
    let folder: string
    let suite: StandInSuite
    let op: Running & { readonly issuer: string }

    before(async function () {
      if (findBrowser() === undefined) {
        console.log('      The stand-in did not run: no chromium on the PATH, and CHROMIUM is not set.')
        this.skip()
      }
      folder = await mkdtemp(join(tmpdir(), 'eventstore-conformance-'))
      suite = await StandInSuite.start(STAND_IN_MODULES)
      const port = await portOutsideEphemeralRange()
      const origin = `https://127.0.0.1:${port}`
      op = await startOpUnderTest({
        ...{ origin, port, stateFolder: folder, tls: selfSigned('127.0.0.1'), logger: silent },
        suite: { baseUrl: suite.baseUrl, alias: ALIAS },
      })
    })

    after(async () => {
      await op?.stop()
      await suite?.stop()
      if (folder) await rm(folder, { recursive: true, force: true })
    })

    const run = (): Promise<Ended> =>
      command([
        'basic',
        '--suite',
        suite.baseUrl,
        '--issuer',
        op.issuer,
        '--alias',
        ALIAS,
        '--state',
        folder,
        '--module-seconds',
        '40',
        '--poll-seconds',
        '0.2',
      ])

    it('logs in, agrees, posts, refreshes, logs out, and has the stand-in told by the back channel', async () => {
      const { code, out, err } = await run()
      assert.equal(
        code,
        0,
        `${out}${err}${suite.modules.map(({ images }) => images.map(({ img }) => img?.slice(0, 500)))}`,
      )
      const [outcome] = JSON.parse(await readFile(join(folder, 'outcomes.json'), 'utf8')) as PlanOutcome[]
      assert.deepEqual(
        outcome?.modules.map(({ testModule, result }) => `${testModule} ${result}`),
        [
          ...['discovery PASSED', 'code PASSED', 'posted PASSED', 'refresh PASSED'],
          ...['prompt-login REVIEW', 'bad-redirect-uri REVIEW', 'back-channel PASSED'],
        ],
      )
      assert.equal(await readFile(outcome?.exported ?? '', 'utf8'), 'the results')
    })

    it('ends with 3 where the suite is away', async () => {
      const { code, err } = await command([
        'config',
        '--suite',
        'http://127.0.0.1:9',
        '--issuer',
        op.issuer,
        '--state',
        folder,
      ])
      assert.equal(code, 3, err)
      assert.match(err, /the suite at http:\/\/127\.0\.0\.1:9 does not answer/)
    })
  })
})
