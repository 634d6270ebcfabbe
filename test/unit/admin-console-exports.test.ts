import assert from 'node:assert/strict'
import { silent } from '../../lib/index.ts'
import { WebError } from '../../lib/web/web-error.ts'
import { Exports } from '../../plugins/admin-console/api/exports.ts'
import { FakeClock } from '../support/fake-clock.ts'

interface Row {
  readonly id: string
}

/** A list of so many pages, of which one has a row. */
class Pages {
  readonly name = 'a-list'
  readonly columns = [['id', ({ id }: Row) => id]] as const
  asked = 0
  readonly #pages: number
  readonly #rowOn: number

  constructor(pages: number, rowOn: number) {
    this.#pages = pages
    this.#rowOn = rowOn
  }

  readonly page = async () => {
    this.asked += 1
    await new Promise((resolve) => setImmediate(resolve))
    const items = this.asked === this.#rowOn ? [{ id: 'one' }] : []
    return { items, looked: 1_000, ...(this.asked < this.#pages && { next: 'more' }) }
  }
}

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

describe('a list as a file', () => {
  const clock = new FakeClock()

  it('has what is on a page behind many on which nothing is meant', async () => {
    const answer = (format: 'csv' | 'json') => new Exports(clock).answer(new Pages(9, 5), format).text()
    assert.equal(await answer('csv'), 'id\r\none\r\n')
    assert.deepEqual(JSON.parse(await answer('json')), { rows: [{ id: 'one' }], isComplete: true })
    assert.deepEqual(await new Exports(clock).answer(new Pages(3, 0), 'json').json(), { rows: [], isComplete: true })
  })

  it('is read no further when whoever asked for it has gone, though nothing was found yet', async () => {
    for (const format of ['csv', 'json'] as const) {
      const pages = new Pages(500, 0)
      const reader = new Exports(clock).answer(pages, format).body?.getReader()
      await reader?.read()
      const waiting = reader?.read()
      await turns(5)
      await reader?.cancel()
      await waiting
      const { asked } = pages
      assert.ok(asked > 0 && asked < 50, `${asked}`)
      await turns(50)
      assert.ok(pages.asked <= asked + 1, `${pages.asked}`)
    }
  })

  it('is logged where it breaks off, and not where nobody wants it any more', async () => {
    const lines: object[] = []
    const logger = { ...silent, warn: (fields: object) => void lines.push(fields) }
    const err = new Error('the store is away')
    const broken = { name: 'a-list', columns: [], page: () => Promise.reject(err) }
    const exports = new Exports(clock, { logger })
    await assert.rejects(exports.answer(broken, 'json').text(), err)
    assert.deepEqual(lines, [{ event: 'console_export_failed', err, list: 'a-list' }])
    const left = exports.answer(new Pages(500, 0), 'csv').body?.getReader()
    await left?.read()
    await left?.cancel()
    await turns(5)
    assert.equal(lines.length, 1)
  })

  it('makes room for others when nobody reads it for two minutes', async () => {
    const exports = new Exports(clock)
    const stalled = [1, 2, 3, 4].map(() => exports.answer(new Pages(9, 1), 'csv'))
    await turns(5)
    const another = () => exports.answer(new Pages(9, 5), 'csv').text()
    assert.throws(another, (error) => error instanceof WebError && error.code === 'TOO_MANY_EXPORTS')
    await clock.advance(120_000)
    assert.equal(await another(), 'id\r\none\r\n')
    for (const response of stalled) await assert.rejects(response.text())
  })
})
