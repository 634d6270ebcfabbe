import assert from 'node:assert/strict'
import {
  type Document,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  MongoWriteConcernError,
} from 'mongodb'
import {
  type Answer,
  assertWritten,
  codeOf,
  counterMoved,
  isDiskFull,
  isDuplicate,
  isPermanent,
  outcomesOfFastPath,
  outcomesOfInsert,
  WriteError,
} from '../../adapters/mongodb/outcome.ts'
import { StoreRefusedError } from '../../lib/errors.ts'
import { range } from '../contract/event-store/log-under-test.ts'

const DUPLICATE = 11000
const NO_MAJORITY = { code: 64, errmsg: 'waiting for replication timed out' }
const NOT_WRITABLE_PRIMARY = new MongoServerError({ code: 10107, errmsg: 'not primary' })
const SHUTDOWN = new MongoServerError({ code: 91, errmsg: 'The server is in quiesce mode and will shut down' })
const UNAUTHORIZED = new MongoServerError({ code: 13, errmsg: 'not authorized on op to execute command' })
const CUT = new MongoNetworkError('read ECONNRESET')
const SIZE = 4

const FAILURES = [
  ['a cut socket', CUT],
  ['NotWritablePrimary', NOT_WRITABLE_PRIMARY],
  ['a server that shuts down', SHUTDOWN],
  ['anything else that was thrown', new Error('pool destroyed')],
  [
    'a command that was given up, whose error has a number of the platform as its code',
    new DOMException('', 'AbortError'),
  ],
] as const

/** The server's reply to an unordered insert of `SIZE` documents. */
function inserted(errors: readonly { readonly index: number; readonly code: number }[], more: Document = {}): Answer {
  const writeErrors = errors.map((error) => ({ ...error, errmsg: 'E' }))
  return { reply: { ok: 1, n: SIZE - errors.length, ...(errors.length > 0 && { writeErrors }), ...more } }
}

/** The server's reply to an ordered bulkWrite of the counter and `SIZE` inserts that stopped at this statement. */
function stoppedAt(failed?: number, code: number = DUPLICATE, more: Document = {}): Answer {
  const firstBatch = failed === undefined ? [] : [{ ok: 0, idx: failed, code, errmsg: 'E', n: 0 }]
  const nInserted = failed === undefined ? SIZE : Math.max(0, failed - 1)
  return { reply: { ok: 1, nErrors: firstBatch.length, nInserted, cursor: { id: 0, firstBatch }, ...more } }
}

function insertKinds(answer: Answer): string[] {
  return outcomesOfInsert(answer, SIZE).map(({ kind }) => kind)
}

function fastKinds(answer: Answer): string[] {
  return outcomesOfFastPath(answer, SIZE).map(({ kind }) => kind)
}

const ALL = (kind: string): string[] => range(SIZE).map(() => kind)

describe('the outcome of an unordered insert', () => {
  it('is that all are stored when the reply tells of no error and counts all of them', () => {
    assert.deepEqual(insertKinds(inserted([])), ALL('stored'))
  })

  it('is unknown when the reply counts fewer than it names errors for, or nothing', () => {
    assert.deepEqual(insertKinds(inserted([], { n: SIZE - 1 })), ALL('unknown'))
    assert.deepEqual(insertKinds({ reply: { ok: 1 } }), ALL('unknown'))
    const miscounted = inserted([{ index: 1, code: DUPLICATE }], { n: 1 })
    assert.deepEqual(insertKinds(miscounted), ['unknown', 'duplicate', 'unknown', 'unknown'])
  })

  it('is that all but the duplicates are stored when the errors are E11000', () => {
    for (const mine of range(SIZE)) {
      const answer = inserted([{ index: mine, code: DUPLICATE }])
      assert.deepEqual(
        insertKinds(answer),
        range(SIZE).map((index) => (index === mine ? 'duplicate' : 'stored')),
      )
    }
    const several = inserted([0, 2, 3].map((index) => ({ index, code: DUPLICATE })))
    assert.deepEqual(insertKinds(several), ['duplicate', 'stored', 'duplicate', 'duplicate'])
  })

  it('is unknown for all after a write-concern error, whatever else the reply says, be it returned or thrown', () => {
    for (const errors of [[], [{ index: 1, code: DUPLICATE }], [{ index: 1, code: 121 }]]) {
      assert.deepEqual(insertKinds(inserted(errors, { writeConcernError: NO_MAJORITY })), ALL('unknown'))
    }
    for (const code of [64, 13]) {
      const thrown = new MongoWriteConcernError({ ok: 1, writeConcernError: { code, errmsg: 'E' } })
      assert.deepEqual(insertKinds({ error: thrown }), ALL('unknown'))
    }
  })

  for (const [name, error] of FAILURES) {
    it(`is unknown for all after ${name}`, () => {
      assert.deepEqual(insertKinds({ error }), ALL('unknown'))
    })
  }

  it('is unknown for all when even E11000 is thrown for the command as a whole', () => {
    assert.deepEqual(insertKinds({ error: new MongoServerError({ code: DUPLICATE }) }), ALL('unknown'))
  })

  it('is that all are refused after Unauthorized', () => {
    assert.deepEqual(insertKinds({ error: UNAUTHORIZED }), ALL('refused'))
  })

  it('is unknown for what is in no list when other errors came with E11000: the server may have stopped there', () => {
    const errors = [
      { index: 1, code: DUPLICATE },
      { index: 2, code: 11600 },
    ]
    for (const writeErrors of [errors, [...errors].reverse()]) {
      assert.deepEqual(insertKinds(inserted(writeErrors)), ['unknown', 'duplicate', 'unknown', 'unknown'])
    }
  })

  it('is that one is refused when the server refuses that document for good', () => {
    const kinds = insertKinds(inserted([{ index: 3, code: 121 }]))
    assert.deepEqual(kinds, ['unknown', 'unknown', 'unknown', 'refused'])
  })
})

describe('the outcome of the fast path', () => {
  it('is that all are stored when the reply tells of no error and counts all of them', () => {
    assert.deepEqual(fastKinds(stoppedAt()), ALL('stored'))
    assert.equal(counterMoved(stoppedAt()), false)
    assert.deepEqual(fastKinds(stoppedAt(undefined, undefined, { nInserted: 1 })), ALL('unknown'))
    const firstBatch = range(SIZE + 1).map((idx) => ({ ok: 1, idx, n: 1 }))
    const telling = { cursor: { id: 0, firstBatch }, writeConcernError: null }
    assert.deepEqual(fastKinds(stoppedAt(undefined, undefined, telling)), ALL('stored'))
  })

  it('is nothing when the counter had moved', () => {
    assert.equal(counterMoved(stoppedAt(0)), true)
  })

  it('is unknown when the counter had moved and the write concern failed', () => {
    const answer = stoppedAt(0, DUPLICATE, { writeConcernError: NO_MAJORITY })
    assert.equal(counterMoved(answer), false)
    assert.deepEqual(fastKinds(answer), ALL('unknown'))
  })

  it('is that what came before the duplicate is stored, and nothing after it was tried', () => {
    for (const mine of range(SIZE)) {
      const answer = stoppedAt(mine + 1)
      assert.equal(counterMoved(answer), false)
      assert.deepEqual(
        fastKinds(answer),
        range(SIZE).map((index) => (index < mine ? 'stored' : index === mine ? 'duplicate' : 'not_tried')),
      )
    }
  })

  it('is unknown up to where an error that may pass stopped it', () => {
    assert.deepEqual(fastKinds(stoppedAt(3, 112)), ['unknown', 'unknown', 'unknown', 'not_tried'])
  })

  it('is that one is refused when the server refuses that document for good', () => {
    assert.deepEqual(fastKinds(stoppedAt(2, 121)), ['unknown', 'refused', 'not_tried', 'not_tried'])
  })

  it('is not tried when the counter failed for another reason, and refused when it will again', () => {
    assert.equal(counterMoved(stoppedAt(0, 112)), false)
    assert.deepEqual(fastKinds(stoppedAt(0, 112)), ALL('not_tried'))
    assert.deepEqual(fastKinds(stoppedAt(0, 121)), ALL('refused'))
  })

  it('is unknown when the write concern failed, whatever else the reply says', () => {
    for (const failed of [undefined, 2]) {
      assert.deepEqual(fastKinds(stoppedAt(failed, DUPLICATE, { writeConcernError: NO_MAJORITY })), ALL('unknown'))
    }
  })

  it('is unknown when the reply does not tell all: several errors of an ordered command, or a cursor that goes on', () => {
    const firstBatch = [0, 2].map((idx) => ({ ok: 0, idx, code: DUPLICATE }))
    for (const cursor of [{ id: 0, firstBatch }, { id: 7, firstBatch: [] }, { id: 0 }, null, undefined]) {
      const answer = { reply: { ok: 1, nInserted: SIZE, cursor } }
      assert.deepEqual(fastKinds(answer), ALL('unknown'))
      assert.equal(counterMoved(answer), false)
    }
  })

  for (const [name, error] of FAILURES) {
    it(`is unknown after ${name}`, () => {
      assert.deepEqual(fastKinds({ error }), ALL('unknown'))
      assert.equal(counterMoved({ error }), false)
    })
  }

  it('is that all are refused after Unauthorized', () => {
    assert.deepEqual(fastKinds({ error: UNAUTHORIZED }), ALL('refused'))
  })
})

describe('a single write', () => {
  it('is written when the reply tells of no error', () => {
    assertWritten({ ok: 1, n: 1 })
    assert.throws(
      () => assertWritten({ ok: 1, n: 0, writeErrors: [{ index: 0, code: DUPLICATE, errmsg: 'E' }] }),
      isDuplicate,
    )
    assert.throws(() => assertWritten({ ok: 1, n: 1, writeConcernError: NO_MAJORITY }), WriteError)
    const both = { ok: 1, writeErrors: [{ code: DUPLICATE, errmsg: 'E' }], writeConcernError: NO_MAJORITY }
    assert.throws(
      () => assertWritten(both),
      (error) => !isDuplicate(error),
    )
  })

  it('is a duplicate only when the server says so', () => {
    assert.equal(isDuplicate(new MongoServerError({ code: DUPLICATE })), true)
    for (const other of [CUT, UNAUTHORIZED, NOT_WRITABLE_PRIMARY, new Error('E11000'), undefined]) {
      assert.equal(isDuplicate(other), false)
    }
    const retried = new MongoServerError({ code: DUPLICATE, errorLabels: ['RetryableWriteError'] })
    assert.equal(isDuplicate(retried), false, 'the driver will try it again')
    assert.equal(isDuplicate(new MongoServerError({ code: DUPLICATE, errorLabels: ['Other'] })), true)
  })

  it('says what the server said: of the document, of the statement, of the write concern', () => {
    const statement = { ok: 0, idx: 1, code: 121, errmsg: 'no such document' }
    for (const [reply, message, codes] of [
      [{ writeErrors: [{ code: 121, errmsg: 'E' }] }, 'E', [121]],
      [{ cursor: { id: 0, firstBatch: [statement] } }, 'no such document', [121]],
      [{ writeConcernError: NO_MAJORITY }, NO_MAJORITY.errmsg, []],
      [{ cursor: { id: 0, firstBatch: [statement] }, writeConcernError: NO_MAJORITY }, 'no such document', []],
      [{ writeErrors: [{ code: 121 }] }, 'the server did not say that everything was written', [121]],
      [{}, 'the server did not say that everything was written', []],
    ] as const) {
      const error = new WriteError(reply)
      assert.deepEqual([error.message, error.codes, error.code], [message, codes, codes[0]])
    }
  })

  it('has no room on the disk where the server says so: its disk is full, or it lets nobody write before it is', () => {
    for (const code of [14031, 371]) {
      const [refused] = outcomesOfInsert(inserted([{ index: 0, code }]), SIZE)
      assert.equal(refused?.kind, 'refused', `${code}`)
      for (const error of [new MongoServerError({ code }), new WriteError({ writeErrors: [{ code }] })]) {
        assert.deepEqual([isDiskFull(error), isPermanent(error)], [true, false], `${code}`)
      }
    }
    for (const other of [UNAUTHORIZED, NOT_WRITABLE_PRIMARY, CUT, undefined]) assert.equal(isDiskFull(other), false)
  })

  it('is refused for good only by codes that will not change', () => {
    for (const code of [2, 9, 13, 18, 20, 59, 115, 121, 322, 323, 324, 10334, 17280, 8000]) {
      assert.equal(isPermanent(new MongoServerError({ code })), true, `${code}`)
    }
    for (const code of [6, 7, 64, 89, 91, 100, 112, 189, 251, 262, 9001, 10058, 10107, 11000, 11600, 11602, 13435]) {
      assert.equal(isPermanent(new MongoServerError({ code })), false, `${code}`)
    }
    const nobody = new MongoServerSelectionError('nobody there', { error: null } as never)
    for (const other of [
      CUT,
      nobody,
      new Error('Unauthorized'),
      { code: 13 },
      new DOMException('', 'AbortError'),
      undefined,
    ]) {
      assert.equal(isPermanent(other), false)
    }
    assert.equal(isPermanent(new StoreRefusedError('no')), true)
  })

  it('is judged by what an error says, whichever copy of the driver threw it', () => {
    class MongoServerErrorOfAnotherCopy extends Error {
      override name = 'MongoServerError'
      readonly code = 13
    }
    assert.equal(isPermanent(new MongoServerErrorOfAnotherCopy()), true)
    const around = Object.assign(new Error('around'), { name: 'MongoBulkWriteError', cause: UNAUTHORIZED })
    assert.equal(codeOf(around), 13)
    const bulk = { name: 'MongoBulkWriteError', code: 'a word', originalError: UNAUTHORIZED }
    assert.equal(codeOf(bulk), 13)
    assert.equal(codeOf({ ...bulk, code: 91 }), 91)
    assert.equal(codeOf({ ...bulk, originalError: undefined }), undefined)
  })
})
