import assert from 'node:assert/strict'
import { testSigningKey } from '../support/op.ts'
import { OpProcess } from '../support/op-process.ts'
import { newPlace, type PrivatePlace } from '../support/store-place.ts'

describe('an OP in a process of the tests', () => {
  let place: PrivatePlace
  let op: OpProcess

  beforeEach(async () => {
    place = await newPlace('file')
    const jwks = { keys: [await testSigningKey()] }
    op = await OpProcess.start({ place: place.place, issuer: 'http://127.0.0.1', clients: [], jwks, quicker: 1 })
  })

  afterEach(async () => {
    await op.kill()
    await place.drop()
  })

  it('is known to be dead by whoever asks it in the moment of its death', async () => {
    assert.equal(await op.end(), 0)
    const killed = op.kill()
    // It is dead, and this process has not been told of it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
    await assert.rejects(op.end(), /died before it answered/)
    await killed
    await op.died
    await assert.rejects(op.end(), /died before it answered/)
    assert.deepEqual(op.complaints, [], 'it was killed')
  })

  it('complains of its end where a promise was rejected and nobody handled it', async () => {
    await op.rejectUnhandled()
    await op.died
    assert.deepEqual(
      op.complaints.map(({ message }) => message),
      ['it ended by itself, with 1'],
    )
    while (!op.complaints[0]?.stack.includes('nobody handles this')) await new Promise(setImmediate)
  })
})
