import assert from 'node:assert/strict'
import { asStoreError, refusalOfCommit, whyOf } from '../../adapters/mongodb/store-errors.ts'

const driverError = (name: string, message: string, more: object = {}): Error =>
  Object.assign(new Error(message), { name, ...more })

describe('what the driver throws', () => {
  it('is refused, with what to look at: who logs in, whether anybody does, or what he may', () => {
    for (const [code, message, advice] of [
      [18, 'Authentication failed.', 'check the user, the password and authSource in the address'],
      [8000, 'bad auth : authentication failed', 'check the user, the password and authSource in the address'],
      [13, 'Command find requires authentication', 'the address names no user'],
      [13, 'not authorized on op', 'check the rights of the database user'],
      [8000, 'user is not allowed to do action [find] on [op.events]', 'check the rights of the database user'],
    ] as const) {
      const error = asStoreError(driverError('MongoServerError', message, { code }))
      assert.equal(error.code, 'STORE_REFUSED')
      assert.equal(error.message, `MongoDB refuses (${message}): ${advice}`)
    }
  })

  it('says of TLS the reason that OpenSSL has', () => {
    for (const [message, said] of [
      [
        'C0A7:error:0A000412:SSL routines:ssl3_read_bytes:ssl/tls alert bad certificate:../rec.c:907:SSL alert',
        'TLS: ssl/tls alert bad certificate',
      ],
      ['error:1E08010C:DECODER routines::unsupported', 'TLS: unsupported: does tlsCertificateKeyFile hold a key?'],
      ['error:05800074:x509 certificate routines::key values mismatch', 'TLS: key values mismatch'],
      ['connect ECONNREFUSED 127.0.0.1:1', 'connect ECONNREFUSED 127.0.0.1:1'],
    ] as const)
      assert.equal(whyOf(new Error(message)), said)
  })

  it('names a command that the server repeats, and says nothing of what is in it', () => {
    for (const [repeated, said] of [
      ['{ bulkWrite: 1, ops: [ { insert: 1, document: { c: "a commit" } } ] }', 'bulkWrite'],
      [`{ insert: "events", documents: [ "${'a commit\n'.repeat(100_000)}" ] }`, 'insert'],
      ['{', ''],
    ] as const) {
      const cause = driverError('MongoServerError', `not authorized on op to execute command ${repeated}`, { code: 13 })
      const expected = `(not authorized on op to execute command ${said}):`
      for (const error of [asStoreError(cause), refusalOfCommit(cause)]) {
        assert.ok(error.message.includes(expected), error.message)
        assert.doesNotMatch(error.message, /document/)
      }
    }
  })

  it('is cut where it is long', () => {
    assert.equal(whyOf(new Error('x'.repeat(300))), 'x'.repeat(300))
    assert.equal(whyOf(new Error('x'.repeat(1_000_000))), `${'x'.repeat(300)}…`)
  })

  it('makes one doubt whether both ends use TLS only where no server has ever answered, or said why', () => {
    const closed = 'connection <monitor> to 127.0.0.1:27017 closed'
    for (const [message, commonWireVersion, isDoubted] of [
      [closed, 0, true],
      ['Server selection timed out after 5000 ms', 0, true],
      [closed, 21, false],
      ['Server selection timed out after 5000 ms', 21, false],
      ['connect ECONNREFUSED 127.0.0.1:27017', 0, false],
      ['getaddrinfo ENOTFOUND nowhere', 0, false],
      ['unable to verify the first certificate', 0, false],
    ] as const) {
      const error = asStoreError(driverError('MongoServerSelectionError', message, { reason: { commonWireVersion } }))
      assert.equal(error.code, 'STORE_UNAVAILABLE')
      assert.equal(/use TLS, or neither\?$/.test(error.message), isDoubted, message)
    }
    assert.doesNotMatch(asStoreError(driverError('MongoNetworkError', closed)).message, /neither/)
  })
})
