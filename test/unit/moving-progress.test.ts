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
      '\r\u001b[Ktaking over: 500 (50 %) of about 1000 documents, session',
      '\r\u001b[Ktaking over: 1000 (100 %) of about 1000 documents, session\n',
    ])
  })

  it('says how many there were where nobody knows how many there will be', () => {
    const lines: string[] = []
    const show = progressLine({ isTTY: true, write: (text) => lines.push(text) })
    show({ step: 'ending', collection: 'events', read: 500, total: undefined })
    show({ step: 'ending', collection: 'events', read: 700, total: 700 })
    assert.deepEqual(lines, [
      '\r\u001b[Kending what is gone: 500 documents, events',
      '\r\u001b[Kending what is gone: 700 (100 %) of about 700 documents, events\n',
    ])
  })

  it('is a line for every 10,000 documents elsewhere', () => {
    const reads = Array.from({ length: 50 }, (_, n) => (n + 1) * 500)
    assert.deepEqual(told(false, reads, 25_000), [
      'taking over: 10000 (40 %) of about 25000 documents, session\n',
      'taking over: 20000 (80 %) of about 25000 documents, session\n',
      'taking over: 25000 (100 %) of about 25000 documents, session\n',
    ])
  })
})
