import assert from 'node:assert/strict'
import fc from 'fast-check'
import { csvRow } from '../../plugins/admin-console/api/csv.ts'

describe('a row of a CSV file', () => {
  it('quotes what would end a cell, and leaves absent ones empty', () => {
    assert.equal(csvRow(['a', 1, undefined, 'b,c', 'd"e', 'f\ng']), 'a,1,,"b,c","d""e","f\ng"\r\n')
  })

  it('makes no formula of what a stranger has chosen', () => {
    for (const cell of ['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\r=1']) {
      const row = csvRow([cell])
      assert.match(row, /^"?'/, JSON.stringify(row))
    }
  })

  it('gives back every text, when the apostrophe is left out', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (cells) => {
        const row = csvRow(cells)
        assert.ok(row.endsWith('\r\n'))
        const read = cellsOf(row.slice(0, -2))
        assert.deepEqual(
          read.map((cell, index) => (cell === `'${cells[index]}` ? cell.slice(1) : cell)),
          cells,
        )
        assert.ok(read.every((cell) => !/^[=+\-@\t\r]/.test(cell)))
      }),
    )
  })
})

/** As RFC 4180 has it. */
function cellsOf(row: string): string[] {
  const cells: string[] = []
  for (let at = 0; at <= row.length; at++) {
    let cell = ''
    if (row[at] === '"') {
      for (at++; row[at] !== '"' || row[at + 1] === '"'; at++) {
        if (row[at] === '"') at++
        cell += row[at]
      }
      at++
    } else for (; at < row.length && row[at] !== ','; at++) cell += row[at]
    cells.push(cell)
  }
  return cells
}
