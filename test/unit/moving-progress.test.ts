import assert from 'node:assert/strict'
import { progressLine } from '../../adapters/mongodb/moving/index.ts'

describe('the progress of a pass', () => {
  function told(isTTY: boolean, reads: readonly number[], total: number): string[] {
    const lines: string[] = []
    const show = progressLine({ isTTY, write: (text) => lines.push(text) })
    for (const read of reads) show({ step: 'reading', collection: 'session', read, total })
    return lines
  }

  it('is one line of a terminal, which ends when the pass does', () => {
    assert.deepEqual(told(true, [500, 1_000], 1_000), [
      '\r\u001b[Ktaking over: 500 of about 1000 documents (50 %), session',
      '\r\u001b[Ktaking over: 1000 of about 1000 documents (100 %), session\n',
    ])
  })

  it('is a line for every 10,000 documents elsewhere', () => {
    const reads = Array.from({ length: 50 }, (_, n) => (n + 1) * 500)
    assert.deepEqual(told(false, reads, 25_000), [
      'taking over: 10000 of about 25000 documents (40 %), session\n',
      'taking over: 20000 of about 25000 documents (80 %), session\n',
      'taking over: 25000 of about 25000 documents (100 %), session\n',
    ])
  })
})
