import assert from 'node:assert/strict'
import fc from 'fast-check'
import { NameTable } from '../../adapters/memory/name-table.ts'
import { PositionLists } from '../../adapters/memory/position-lists.ts'
import { StreamIndex } from '../../adapters/memory/stream-index.ts'
import type { ReadOptions } from '../../lib/log/event-store.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { anyCharacter } from '../support/any-character.ts'

describe('the names in a table', () => {
  it('have the numbers in which they came, however alike they are', () => {
    const table = new NameTable()
    const names = range(50_000).flatMap((n) => [`client:${n}`, `${n}:client`, `Session:${'x'.repeat(n % 40)}${n}`])
    for (const [number, name] of names.entries()) assert.equal(table.add(name), number)
    assert.equal(table.size, names.length)
    for (const [number, name] of names.entries()) {
      assert.equal(table.numberOf(name), number)
      assert.equal(table.add(name), number)
    }
    for (const n of range(1_000)) assert.equal(table.has(`account:${n}`), false)
  })

  it('are the same as the keys of a Map, whatever text they are', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: anyCharacter, maxLength: 6 }), { maxLength: 200 }), (names) => {
        const table = new NameTable()
        const numbers = new Map<string, number>()
        for (const name of names) {
          assert.equal(table.numberOf(name), numbers.get(name))
          if (!numbers.has(name)) numbers.set(name, numbers.size)
          assert.equal(table.add(name), numbers.get(name))
        }
        assert.equal(table.size, numbers.size)
      }),
    )
  })
})

describe('lists of positions', () => {
  it('hold what was added to each, in order, wherever the others grow', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 12 }), { maxLength: 600 }), (adds) => {
        const lists = new PositionLists()
        const numbers = new Map<number, number>()
        const expected: number[][] = []
        for (const [index, name] of adds.entries()) {
          const list = numbers.get(name) ?? numbers.size
          numbers.set(name, list)
          lists.add(list, index + 1)
          expected[list] = [...(expected[list] ?? []), index + 1]
        }
        for (const [list, positions] of expected.entries()) {
          assert.equal(lists.lengthOf(list), positions.length)
          assert.deepEqual(
            positions.map((_, index) => lists.at(list, index)),
            positions,
          )
        }
      }),
    )
  })
})

describe('the index of streams', () => {
  const options: fc.Arbitrary<ReadOptions> = fc.record(
    {
      from: fc.integer({ min: -1, max: 70 }),
      direction: fc.constantFrom('forwards', 'backwards'),
      limit: fc.integer({ min: 0, max: 12 }),
    },
    { requiredKeys: [] },
  )

  it('finds what a search through all commits would find', () => {
    const commits = fc.array(fc.array(fc.constantFrom<string>('a', 'b', 'c'), { maxLength: 4 }), { maxLength: 60 })
    const removed = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 30 }).map((positions) => new Set(positions))
    fc.assert(
      fc.property(
        commits,
        fc.constantFrom('a', 'b', 'd'),
        options,
        fc.nat({ max: 70 }),
        removed,
        (log, stream, asked, end, gone) => {
          const index = new StreamIndex()
          for (const [n, streams] of log.entries()) for (const name of streams) index.add(name, n + 1)
          const { from, direction, limit = Number.POSITIVE_INFINITY } = asked
          const all = log.flatMap((streams, n) =>
            streams.includes(stream) && n < end && !gone.has(n + 1) ? [n + 1] : [],
          )
          const found =
            direction === 'backwards'
              ? all.filter((position) => position <= (from ?? end)).reverse()
              : all.filter((position) => position >= (from ?? 0))
          assert.deepEqual(index.positionsOf(stream, asked, end, gone), found.slice(0, limit))
        },
      ),
      { numRuns: 1_000 },
    )
  })
})
