import assert from 'node:assert/strict'
import { nonce } from '../../lib/secrets/nonce.ts'

describe('a nonce', () => {
  it('has the length that is asked for, is never the same, and is nobody else’s memory', () => {
    const all = new Set<string>()
    const [first] = [nonce(12)]
    const before = first.toString('hex')
    for (let n = 0; n < 5_000; n++) {
      const bytes = nonce(12 + (n % 5))
      assert.equal(bytes.length, 12 + (n % 5))
      all.add(bytes.toString('hex'))
      bytes.fill(0)
    }
    assert.equal(all.size, 5_000)
    assert.equal(first.toString('hex'), before)
  })
})
