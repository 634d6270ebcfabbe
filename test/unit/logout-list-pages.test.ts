import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type LogList, type LogPage, logPage } from '../../plugins/back-channel-logout/pages/log-page.ts'
import { cursorAt, hasShape, placeAt } from '../../plugins/back-channel-logout/pages/page.ts'
import { range } from '../contract/event-store/log-under-test.ts'

/** A list in a log: of each commit, so many items. */
function listOf(counts: readonly number[]): LogList<string> & { read: LogList<string>['read']; commitsRead: number } {
  return {
    name: 'a list',
    commitsRead: 0,
    end: async () => counts.length,
    async *read({ to, size }): AsyncGenerator<LogPage<string>> {
      for (let position = to; position >= 1; position -= size) {
        const positions = range(Math.min(size, position)).map((n) => position - n)
        this.commitsRead += positions.length
        const found = positions.flatMap((at) =>
          range(counts[at - 1] ?? 0).map((index) => ({ item: `${at}.${index}`, position: at, index })),
        )
        yield { found, looked: positions.length, last: Number(positions.at(-1)) }
      }
    },
  }
}

function itemsOf(counts: readonly number[]): string[] {
  return counts.flatMap((count, at) => range(count).map((index) => `${at + 1}.${index}`))
}

describe('a list in the log, page by page', () => {
  it('is told whole, each item once, whatever the limit and the filter', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 4 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 4 }),
        async (counts, limit, modulus) => {
          const list = listOf(counts)
          const where = (item: string): boolean => Number(item.split('.')[0]) % modulus === 0
          const told: string[] = []
          let cursor: string | undefined
          do {
            const page = await logPage(list, { limit, where, ...(cursor !== undefined && { cursor }) })
            assert.ok(page.items.length <= limit)
            told.push(...page.items)
            cursor = page.next
          } while (cursor !== undefined)
          assert.deepEqual(told.toSorted(), itemsOf(counts).filter(where).toSorted())
        },
      ),
    )
  })

  it('reads about a thousand commits for a page in which nothing is meant, and goes on there', async () => {
    const list = listOf(range(5_000).map((n) => Number(n === 10)))
    let [pages, cursor, found] = [0, undefined as string | undefined, 0]
    do {
      const before = list.commitsRead
      const page = await logPage(list, { limit: 50, ...(cursor !== undefined && { cursor }) })
      assert.ok(list.commitsRead - before <= 1_050, `${list.commitsRead - before} commits`)
      found += page.items.length
      cursor = page.next
      pages += 1
    } while (cursor !== undefined)
    assert.deepEqual([found, pages], [1, 5])
  })
})

describe('a cursor', () => {
  const isPlace = (place: unknown): place is { readonly to: number } => hasShape(place, { to: 'whole' })

  it('names a place in its own list, and is refused by others', () => {
    const cursor = cursorAt('a list', { to: 7 })
    assert.deepEqual(placeAt('a list', cursor, isPlace), { to: 7 })
    assert.throws(() => placeAt('another list', cursor, isPlace), { code: 'OPTION_INVALID', option: 'cursor' })
  })

  it('is refused where it names no position', () => {
    for (const to of [1.5, -1, 1e300, '1', null, {}])
      assert.throws(() => placeAt('a list', cursorAt('a list', { to }), isPlace), { code: 'OPTION_INVALID' })
  })

  it('is short, however long the name of the list is', () => {
    const list = `history ${JSON.stringify(['"'.repeat(1_000), '\u0001'.repeat(1_000)])}`
    const cursor = cursorAt(list, { to: 7 })
    assert.ok(cursor.length < 200, `${cursor.length}`)
    assert.deepEqual(placeAt(list, cursor, isPlace), { to: 7 })
  })
})
