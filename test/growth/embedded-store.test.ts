import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { CommitsInJournal } from '../../adapters/file/commits-in-journal.ts'
import { LogState } from '../../adapters/memory/log-state.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { DiskInMemory } from '../support/disk-in-memory.ts'

/** What is held, once garbage was collected. */
function held(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

describe('what the embedded store holds of its log in memory', () => {
  // So many that a megabyte of the engine's own, which compiles what is hot meanwhile, does not count.
  for (const count of [100_000, 300_000]) {
    it(`is less than 256 bytes a commit, of ${count.toLocaleString('en')} with four streams and a claim each`, () => {
      const before = held()
      const commits = new CommitsInJournal('journal.log', new DiskInMemory(Buffer.alloc(0)))
      const state = new LogState(commits)
      for (const n of range(count)) {
        const events = [
          {
            stream: `AccessToken:${'x'.repeat(40)}${n}`,
            also: [`Grant:${n >> 3}`, `account:${n >> 4}`, 'client:rp'],
            type: 'stored',
            data: {},
          },
        ]
        state.index({ position: n + 1, id: `${n}`, events, meta: {}, at: 1, claims: [`o:${n}`] })
        commits.placed(n + 1, { offset: n * 1_000, length: 1_000, crcBefore: n })
      }
      state.markDurable()
      const each = (held() - before) / count
      assert.equal(state.durable, count)
      assert.ok(each < 256, `${each} bytes a commit`)
    })
  }
})
