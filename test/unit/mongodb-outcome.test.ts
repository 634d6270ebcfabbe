import assert from 'node:assert/strict'
import {
  type BulkWriteResult,
  MongoBulkWriteError,
  MongoClientBulkWriteError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  MongoWriteConcernError,
} from 'mongodb'
import {
  counterMoved,
  isDuplicate,
  isPermanent,
  outcomeOfInsert,
  outcomeOfQuietPath,
} from '../../adapters/mongodb/outcome.ts'
import { range } from '../contract/event-store/log-under-test.ts'

const DUPLICATE = 11000
const WRITE_CONCERN_TIMEOUT = { code: 64, errmsg: 'waiting for replication timed out' }
const NOT_WRITABLE_PRIMARY = new MongoServerError({ code: 10107, errmsg: 'not primary' })
const SHUTDOWN = new MongoServerError({ code: 91, errmsg: 'The server is in quiesce mode and will shut down' })
const UNAUTHORIZED = new MongoServerError({ code: 13, errmsg: 'not authorized on op to execute command' })
const CUT = new MongoNetworkError('read ECONNRESET')

interface Errors {
  readonly writeErrors?: readonly { readonly index: number; readonly code: number }[]
  readonly writeConcernError?: { readonly code: number; readonly errmsg: string }
}

/** What the driver keeps of the server's reply. Its own class cannot be made from outside. */
function result({ writeErrors = [], writeConcernError }: Errors): BulkWriteResult {
  return {
    getWriteErrors: () => writeErrors,
    getWriteConcernError: () => writeConcernError,
  } as unknown as BulkWriteResult
}

/** As the driver reports writes that the server answered with errors: under the code of the first. */
function bulkError(errors: Errors): MongoBulkWriteError {
  const code = errors.writeConcernError?.code ?? errors.writeErrors?.[0]?.code ?? 0
  return new MongoBulkWriteError({ message: 'write operation failed', code }, result(errors))
}

/** As the driver reports a command that failed as a whole: the failure, dressed up as a bulk error without write errors. */
function wrapped(failure: Error): MongoBulkWriteError {
  return new MongoBulkWriteError(failure, result({}))
}

function quietError(
  failed?: number,
  code?: number,
  writeConcernErrors: readonly object[] = [],
): MongoClientBulkWriteError {
  const error = new MongoClientBulkWriteError({ message: 'write errors' })
  if (failed !== undefined) error.writeErrors.set(failed, { code: code ?? DUPLICATE, message: 'E' })
  error.writeConcernErrors = [...writeConcernErrors]
  return error
}

/** As the driver reports a `bulkWrite` command that the server refused as a whole. */
function quietWrapped(cause: Error): MongoClientBulkWriteError {
  const error = quietError()
  error.cause = cause
  return error
}

function insertKinds(error: unknown, size = 4): string[] {
  return range(size).map((index) => outcomeOfInsert(error, index).kind)
}

function quietKinds(error: unknown, size = 4): string[] {
  return range(size).map((index) => outcomeOfQuietPath(error, index).kind)
}

const ALL = (kind: string): string[] => range(4).map(() => kind)

describe('the outcome of an unordered insert', () => {
  it('is that all are stored when the command returned', () => {
    assert.deepEqual(insertKinds(undefined), ALL('stored'))
  })

  it('is that all but the duplicates are stored when it threw E11000', () => {
    for (const mine of range(4)) {
      const error = bulkError({ writeErrors: [{ index: mine, code: DUPLICATE }] })
      assert.deepEqual(
        insertKinds(error),
        range(4).map((index) => (index === mine ? 'duplicate' : 'stored')),
      )
    }
    const several = bulkError({ writeErrors: [0, 2, 3].map((index) => ({ index, code: DUPLICATE })) })
    assert.deepEqual(insertKinds(several), ['duplicate', 'stored', 'duplicate', 'duplicate'])
  })

  it('is unknown for what is in no list when E11000 came together with a write-concern error', () => {
    const error = bulkError({ writeErrors: [{ index: 1, code: DUPLICATE }], writeConcernError: WRITE_CONCERN_TIMEOUT })
    assert.deepEqual(insertKinds(error), ['unknown', 'duplicate', 'unknown', 'unknown'])
    error.code = DUPLICATE // however the driver orders the two
    assert.deepEqual(insertKinds(error), ['unknown', 'duplicate', 'unknown', 'unknown'])
  })

  it('is unknown for all after a write-concern error alone', () => {
    assert.deepEqual(insertKinds(bulkError({ writeConcernError: WRITE_CONCERN_TIMEOUT })), ALL('unknown'))
    assert.deepEqual(
      insertKinds(new MongoWriteConcernError({ ok: 1, writeConcernError: WRITE_CONCERN_TIMEOUT })),
      ALL('unknown'),
    )
  })

  for (const [name, failure] of [
    ['a cut socket', CUT],
    ['NotWritablePrimary', NOT_WRITABLE_PRIMARY],
    ['a server that shuts down', SHUTDOWN],
    ['anything else that was thrown', new Error('pool destroyed')],
  ] as const) {
    it(`is unknown for all after ${name}, dressed up as a bulk error with an empty list or not`, () => {
      assert.deepEqual(insertKinds(wrapped(failure)), ALL('unknown'))
      assert.deepEqual(insertKinds(failure), ALL('unknown'))
    })
  }

  it('is unknown for all when the driver dresses up even E11000 with an empty list', () => {
    assert.deepEqual(insertKinds(wrapped(new MongoServerError({ code: DUPLICATE }))), ALL('unknown'))
  })

  it('is that all are refused after Unauthorized, dressed up or not', () => {
    assert.deepEqual(insertKinds(wrapped(UNAUTHORIZED)), ALL('refused'))
    assert.deepEqual(insertKinds(UNAUTHORIZED), ALL('refused'))
  })

  it('is unknown for what is in no list when other errors came with E11000: the server may have stopped there', () => {
    const errors = [
      { index: 1, code: DUPLICATE },
      { index: 2, code: 11600 },
    ]
    for (const writeErrors of [errors, [...errors].reverse()]) {
      assert.deepEqual(insertKinds(bulkError({ writeErrors })), ['unknown', 'duplicate', 'unknown', 'unknown'])
    }
  })

  it('is that one is refused when the server refuses that document for good', () => {
    const kinds = insertKinds(bulkError({ writeErrors: [{ index: 3, code: 121 }] }))
    assert.deepEqual(kinds, ['unknown', 'unknown', 'unknown', 'refused'])
  })
})

describe('the outcome of the quiet path', () => {
  it('is that all are stored when the command returned', () => {
    assert.deepEqual(quietKinds(undefined), ALL('stored'))
    assert.equal(counterMoved(undefined), false)
  })

  it('is nothing when the counter had moved', () => {
    assert.equal(counterMoved(quietError(0)), true)
  })

  it('is unknown when the counter had moved and the write concern failed', () => {
    const error = quietError(0, DUPLICATE, [WRITE_CONCERN_TIMEOUT])
    assert.equal(counterMoved(error), false)
    assert.deepEqual(quietKinds(error), ALL('unknown'))
  })

  it('is that what came before the duplicate is stored, and nothing after it was tried', () => {
    for (const mine of range(4)) {
      const error = quietError(mine + 1)
      assert.equal(counterMoved(error), false)
      assert.deepEqual(
        quietKinds(error),
        range(4).map((index) => (index < mine ? 'stored' : index === mine ? 'duplicate' : 'not_tried')),
      )
    }
  })

  it('is unknown up to where an error that may pass stopped it', () => {
    const error = quietError(3, 112)
    assert.deepEqual(quietKinds(error), ['unknown', 'unknown', 'unknown', 'not_tried'])
  })

  it('is that one is refused when the server refuses that document for good', () => {
    assert.deepEqual(quietKinds(quietError(2, 121)), ['unknown', 'refused', 'not_tried', 'not_tried'])
  })

  it('is not tried when the counter failed for another reason, and refused when it will again', () => {
    assert.equal(counterMoved(quietError(0, 112)), false)
    assert.deepEqual(quietKinds(quietError(0, 112)), ALL('not_tried'))
    assert.deepEqual(quietKinds(quietError(0, 121)), ALL('refused'))
  })

  it('is unknown when the write concern failed, whatever else the reply says', () => {
    assert.deepEqual(quietKinds(quietError(undefined, undefined, [WRITE_CONCERN_TIMEOUT])), ALL('unknown'))
    assert.deepEqual(quietKinds(quietError(2, DUPLICATE, [WRITE_CONCERN_TIMEOUT])), ALL('unknown'))
  })

  for (const [name, failure] of [
    ['a cut socket', CUT],
    ['NotWritablePrimary', NOT_WRITABLE_PRIMARY],
    ['a server that shuts down', SHUTDOWN],
  ] as const) {
    it(`is unknown after ${name}, dressed up as a bulk error or not`, () => {
      assert.deepEqual(quietKinds(quietWrapped(failure)), ALL('unknown'))
      assert.deepEqual(quietKinds(failure), ALL('unknown'))
      assert.equal(counterMoved(quietWrapped(failure)), false)
    })
  }

  it('is that all are refused after Unauthorized, dressed up or not', () => {
    assert.deepEqual(quietKinds(quietWrapped(UNAUTHORIZED)), ALL('refused'))
    assert.deepEqual(quietKinds(UNAUTHORIZED), ALL('refused'))
  })

  it('is unknown when the reply was cut short behind a write error', () => {
    const error = quietError(2)
    error.cause = CUT
    assert.deepEqual(quietKinds(error), ALL('unknown'))
    const moved = quietError(0)
    moved.cause = CUT
    assert.equal(counterMoved(moved), false)
  })
})

describe('a single write', () => {
  it('is a duplicate only when the server says so', () => {
    assert.equal(isDuplicate(new MongoServerError({ code: DUPLICATE })), true)
    for (const other of [CUT, UNAUTHORIZED, NOT_WRITABLE_PRIMARY, new Error('E11000'), undefined]) {
      assert.equal(isDuplicate(other), false)
    }
  })

  it('is refused for good only by codes that will not change', () => {
    for (const code of [2, 9, 13, 18, 20, 59, 115, 121, 10334, 17280, 8000]) {
      assert.equal(isPermanent(new MongoServerError({ code })), true, `${code}`)
    }
    for (const code of [6, 7, 64, 89, 91, 100, 112, 189, 251, 262, 9001, 10058, 10107, 11000, 11600, 11602, 13435]) {
      assert.equal(isPermanent(new MongoServerError({ code })), false, `${code}`)
    }
    const nobody = new MongoServerSelectionError('nobody there', { error: null } as never)
    for (const other of [CUT, nobody, new Error('Unauthorized'), { code: 13 }, undefined]) {
      assert.equal(isPermanent(other), false)
    }
  })
})
