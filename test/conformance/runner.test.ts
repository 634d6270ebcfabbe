import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { quickClock } from '../support/quick-clock.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { PLANS, type Plan } from './plans.ts'
import type { User } from './run-module.ts'
import { exitCodeOf, type PlanOutcome, runPlan, verdictOn } from './run-plan.ts'
import { type Script, StandInSuite } from './stand-in-suite.ts'
import { type PageToVisit, SuiteApi } from './suite-api.ts'

const SCREENSHOT = 'data:image/png;base64,AAAA'

const PLAN: Plan = {
  name: 'a-test-plan',
  variant: { client_registration: 'static_client' },
  expected: { skipped: { result: 'SKIPPED', why: 'a test' } },
}

describe('a plan of the conformance suite, run against a stand-in of its API', () => {
  const folder = temporaryFolder()
  let suite: StandInSuite
  let api: SuiteApi
  let lines: string[]
  let browsers: number
  let visits: PageToVisit[]
  let visit: (page: PageToVisit) => Promise<string>

  beforeEach(() => {
    lines = []
    browsers = 0
    visits = []
    visit = async ({ url, method }) => {
      await (await fetch(url, { method })).text()
      return SCREENSHOT
    }
  })
  afterEach(async () => {
    await api.close()
    await suite.stop()
  })

  async function run(
    scripts: Readonly<Record<string, Script>>,
    { before, limitMs = 1_000_000 }: { readonly before?: () => void; readonly limitMs?: number } = {},
  ): Promise<PlanOutcome> {
    suite = await StandInSuite.start(scripts)
    before?.()
    api = new SuiteApi({ baseUrl: suite.baseUrl })
    const user: User = {
      startAnew: async () => {
        browsers += 1
      },
      visit: (page) => {
        visits.push(page)
        return visit(page)
      },
    }
    const parts = { api, user, clock: quickClock(100), limitMs, pollMs: 100 }
    const tell = (line: string): void => void lines.push(line)
    return runPlan(parts, PLAN, { alias: 'ours' }, { folder: folder.path, tell })
  }

  const results = ({ modules }: PlanOutcome): string[] =>
    modules.map(({ testModule, result, verdict }) => `${testModule} ${result} ${verdict}`)

  it('runs its modules one after the other, each in a browser of its own, and stores the export', async () => {
    const outcome = await run({ one: async () => 'PASSED', skipped: async () => 'SKIPPED' })
    assert.deepEqual(results(outcome), ['one PASSED asExpected', 'skipped SKIPPED asExpected'])
    assert.equal(exitCodeOf([outcome]), 0)
    assert.equal(browsers, 2)
    assert.equal(await readFile(outcome.exported ?? '', 'utf8'), 'the results')
    assert.equal(suite.modules[0]?.configuration['alias'], 'ours')
    assert.match(lines.join('\n'), /ok +PASSED +one/)
  })

  it('visits what a module wants visited, in its order and by its method, until it has ended', async () => {
    const outcome = await run({
      'two-pages': async (module) => {
        module.browse(`${module.at}/callback?n=1`)
        await module.arrival('callback')
        module.browse(`${module.at}/callback?n=2`, 'POST')
        await module.arrival('callback')
        return 'PASSED'
      },
    })
    assert.deepEqual(results(outcome), ['two-pages PASSED asExpected'])
    assert.deepEqual(
      visits.map(({ url, method }) => `${method} ${new URL(url).search}`),
      ['GET ?n=1', 'POST ?n=2'],
    )
    assert.equal(suite.modules[0]?.visited.length, 2)
  })

  it('hands in a screenshot where a module wants one, and leaves it to a person to look at it', async () => {
    const outcome = await run({
      looked: async (module) => {
        module.images.push({ upload: 'place-1' })
        module.browse(`${module.at}/error`)
        await module.arrival('error')
        while (module.images[0]?.img === undefined) await new Promise(setImmediate)
        return 'REVIEW'
      },
    })
    assert.deepEqual(results(outcome), ['looked REVIEW forAPerson'])
    assert.deepEqual(suite.modules[0]?.images, [{ upload: 'place-1', img: SCREENSHOT }])
    assert.equal(exitCodeOf([outcome]), 0)
  })

  it('fails with a module that fails, is interrupted, warns or is skipped where nobody expects it; and runs the others', async () => {
    const scripts = Object.fromEntries(
      ['FAILED', 'INTERRUPTED', 'WARNING', 'SKIPPED', 'PASSED'].map((result) => [`is-${result}`, async () => result]),
    )
    const outcome = await run(scripts)
    assert.deepEqual(
      outcome.modules.map(({ verdict }) => verdict),
      ['failed', 'failed', 'failed', 'failed', 'asExpected'],
    )
    assert.equal(exitCodeOf([outcome]), 1)
  })

  it('gives up a module whose time is over, cancels it, and runs the next', async () => {
    const scripts = { hangs: () => new Promise<string>(() => {}), next: async () => 'PASSED' }
    const outcome = await run(scripts, { limitMs: 20_000 })
    assert.deepEqual(results(outcome), ['hangs TIMED_OUT failed', 'next PASSED asExpected'])
    assert.match(outcome.modules[0]?.problem ?? '', /RUNNING after 20 s/)
    assert.ok(suite.requests.includes(`DELETE /api/runner/${suite.modules[0]?.id}`))
  })

  it('gives up a module that wants page after page', async () => {
    const outcome = await run({
      greedy: async (module) => {
        for (let n = 0; ; n++) {
          module.browse(`${module.at}/callback?n=${n}`)
          await module.arrival('callback')
        }
      },
    })
    assert.deepEqual(results(outcome), ['greedy TIMED_OUT failed'])
    assert.match(outcome.modules[0]?.problem ?? '', /more than 20 pages/)
  })

  it('says where the browser failed, and runs the next module', async () => {
    visit = async () => Promise.reject(new Error('no such button'))
    const outcome = await run({
      clicks: async (module) => {
        module.browse(`${module.at}/login`)
        await module.arrival('login')
        return 'PASSED'
      },
      next: async () => 'PASSED',
    })
    assert.deepEqual(results(outcome), ['clicks INTERRUPTED failed', 'next PASSED asExpected'])
    assert.match(outcome.modules[0]?.problem ?? '', /failed at .*login: no such button/)
  })

  for (const [request, what] of [
    ['POST /api/runner', 'starts no module'],
    ['GET /api/info', 'does not say how a module stands'],
    ['GET /api/plan', 'exports nothing'],
  ] as const) {
    it(`ends with 3 where the suite ${what}: what was not run says nothing`, async () => {
      const outcome = await run(
        { one: async () => 'PASSED', two: async () => 'PASSED' },
        { before: () => suite.broken.set(request, 500) },
      )
      assert.match(outcome.problem ?? '', /was answered with 500/)
      assert.equal(exitCodeOf([outcome]), 3)
      assert.equal(outcome.modules.length, 2)
      if (what !== 'exports nothing') assert.equal(outcome.modules[1]?.result, 'NOT_RUN')
    })
  }

  it('is refused where the suite takes no plan', async () => {
    await assert.rejects(
      run({}, { before: () => suite.broken.set('POST /api/plan', 400) }),
      /POST \/api\/plan was answered with 400/,
    )
  })

  it('of no modules is no success', async () => {
    assert.equal(exitCodeOf([await run({})]), 3)
  })
})

describe('what is expected of a plan', () => {
  it('has a reason for each module that does not pass', () => {
    assert.deepEqual(Object.keys(PLANS), ['config', 'basic', 'rp-initiated-logout', 'back-channel-logout'])
    for (const { expected } of Object.values(PLANS))
      for (const [testModule, { result, why }] of Object.entries(expected)) {
        assert.ok(why.length > 10)
        assert.equal(verdictOn({ testModule, result }, expected), 'asExpected')
        assert.equal(verdictOn({ testModule, result: 'FAILED' }, expected), 'failed')
      }
  })
})
