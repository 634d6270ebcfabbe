import assert from 'node:assert/strict'
import { runInNewContext } from 'node:vm'
import { SCRIPT } from '../../plugins/account-sessions/page/script.ts'

interface Line {
  readonly dataset: Readonly<Record<string, string>>
  textContent: string
  hidden: boolean
}

/** The script of the page in a browser of which there is only what it uses, with what it has planned to do. */
class Page {
  readonly told: Line = { dataset: { kind: 'told' }, textContent: '', hidden: true }
  readonly goesOn: Line = { dataset: { goesOn: '' }, textContent: 'It goes on.', hidden: false }
  readonly asked: string[] = []
  readonly #planned: { readonly work: () => void; readonly waitMs: number }[] = []
  #answer: () => Promise<object> = () => Promise.reject(new Error('no answer was given'))

  constructor() {
    const notice = {
      dataset: { ask: '/api/ended?reference=x' },
      querySelectorAll: (selector: string) => (selector === '[data-kind]' ? [this.told] : [this.goesOn]),
    }
    runInNewContext(SCRIPT, {
      document: {
        documentElement: { lang: 'en' },
        querySelectorAll: (selector: string) => (selector === '.as-ended[data-ask]' ? [notice] : []),
      },
      setTimeout: (work: () => void, waitMs: number) => this.#planned.push({ work, waitMs }),
      fetch: (url: string) => {
        this.asked.push(url)
        return this.#answer()
      },
    })
  }

  /** After how long it asks again; undefined: never. */
  get waitMs(): number | undefined {
    return this.#planned[0]?.waitMs
  }

  /** Lets it ask, and gives it this answer. */
  async asks(answer: () => Promise<object>): Promise<void> {
    this.#answer = answer
    this.#planned.shift()?.work()
    await new Promise((resolve) => setImmediate(resolve)) // all that the answer leads to is done by then
  }
}

const withStatus = (status: number, body: object = {}) => {
  return async (): Promise<object> => ({ ok: status === 200, status, json: async () => body })
}

const STILL = withStatus(200, { settled: false, lines: {} })

describe('the script of the page of devices and apps', () => {
  it('asks less and less often, at most once a minute, until all is settled', async () => {
    const page = new Page()
    const waits: (number | undefined)[] = []
    for (let asked = 0; asked < 13; asked++) {
      waits.push(page.waitMs)
      await page.asks(STILL)
    }
    assert.deepEqual(waits.slice(0, 3), [1_000, 1_500, 2_250])
    assert.deepEqual(waits.slice(-2), [60_000, 60_000])
    assert.deepEqual([page.told.hidden, page.goesOn.hidden], [true, false])
    await page.asks(withStatus(200, { settled: true, lines: { told: 'Told: Shop.' } }))
    assert.equal(page.waitMs, undefined)
    assert.deepEqual([page.told.textContent, page.told.hidden], ['Told: Shop.', false])
    assert.equal(page.goesOn.hidden, true)
    assert.equal(page.asked.length, 14)
  })

  it('asks again in a minute where it cannot be answered, or there is no answer', async () => {
    const page = new Page()
    for (const trouble of [withStatus(503), withStatus(500), () => Promise.reject(new Error('no network'))]) {
      await page.asks(trouble)
      assert.equal(page.waitMs, 60_000)
    }
    await page.asks(STILL)
    assert.equal(page.waitMs, 60_000)
  })

  it('asks no more where it is told that there is nothing to ask for', async () => {
    for (const status of [401, 404]) {
      const page = new Page()
      await page.asks(withStatus(status))
      assert.equal(page.waitMs, undefined)
    }
  })
})
