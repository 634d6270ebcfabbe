import assert from 'node:assert/strict'
import { Holdings } from '../soak/holdings.ts'

const MB = 2 ** 20

describe('what a soak finds that processes hold', () => {
  const violations = (heaps: readonly number[], resources: readonly number[] = []): readonly string[] => {
    const holdings = new Holdings(1)
    for (const [look, heap] of heaps.entries())
      holdings.see([{ heapUsed: heap * MB, rss: 0, resources: resources[look] ?? 50 }])
    return holdings.violations
  }

  it('is none where a process fills what it holds, and then stays', () => {
    assert.deepEqual(violations([20, 40, 60, 80, 82, 81, 83, 80, 110, 82]), [])
    assert.deepEqual(violations([20]), [])
  })

  it('is told where it goes on growing: bytes, and sockets or timers', () => {
    const grows = Array.from({ length: 20 }, (_, look) => 20 + 5 * look)
    assert.match(violations(grows).join(), /process 1 holds .*heapUsed/)
    const sockets = Array.from({ length: 20 }, (_, look) => 50 + 30 * look)
    assert.match(violations(Array(20).fill(50), sockets).join(), /resources/)
  })
})
