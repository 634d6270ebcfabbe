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

  it('makes none where a spreadsheet takes a semicolon, a tab or a line for the end of a cell', () => {
    for (const cell of ['a;=1+1', 'a\t@SUM(A1)', 'a\n+1', 'a;"=1+1"', 'https://rp.example.com/;-1'])
      assert.match(csvRow([cell]), /[;\t\n]'"*[=+\-@]/, JSON.stringify(csvRow([cell])))
    assert.equal(csvRow(['a-b;c=d']), 'a-b;c=d\r\n')
  })

  it('gives back every text, when apostrophes are left out', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (cells) => {
        const row = csvRow(cells)
        assert.ok(row.endsWith('\r\n'))
        const read = cellsOf(row.slice(0, -2))
        assert.deepEqual(
          read.map((cell) => cell.replaceAll("'", '')),
          cells.map((cell) => cell.replaceAll("'", '')),
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
