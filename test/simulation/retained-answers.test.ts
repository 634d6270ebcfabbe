import assert from 'node:assert/strict'
import fc from 'fast-check'
import { life, liveTwice } from './retained-answers.ts'

describe('what is found, with retention and without', function () {
  this.timeout(120_000)

  it('is the same, but for what has expired, also after keys were rotated', async () => {
    let removed = 0
    const property = fc.asyncProperty(life, async (steps) => {
      removed += await liveTwice(steps)
    })
    // A shorter life takes longer to find than a test may: the seed and the path that are told play this one again.
    await fc.assert(property, { numRuns: 160, endOnFailure: true })
    assert.ok(removed > 300, `hardly anything was removed: ${removed}`)
  })
})
