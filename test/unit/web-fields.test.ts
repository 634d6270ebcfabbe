import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  assertKnown,
  flag,
  oneOf,
  queryFields,
  requiredOneOf,
  requiredText,
  text,
  wholeNumber,
} from '../../lib/web/fields.ts'
import { formBody } from '../../lib/web/form-body.ts'
import { jsonBody } from '../../lib/web/json-body.ts'
import { firstOf, limitIn } from '../../lib/web/some-of.ts'
import { asWebError, WebError } from '../../lib/web/web-error.ts'
import { anyCharacter } from '../support/any-character.ts'

const INVALID = { name: 'WebError', status: 400, code: 'FIELD_INVALID' }

describe('the fields of a request', () => {
  it('are those that are known, and no others', () => {
    assertKnown({ a: 1 }, ['a', 'b'])
    assert.throws(() => assertKnown({ dryrun: true }, ['dryRun']), {
      ...INVALID,
      message: '"dryrun" is not known; known are dryRun',
    })
    assert.throws(() => assertKnown(JSON.parse('{"__proto__":{}}'), ['a']), INVALID)
  })

  it('may be missing, or must be there', () => {
    assert.deepEqual(
      [text({}, 'a'), flag({}, 'a'), wholeNumber({}, 'a'), oneOf({}, 'a', ['x'])],
      [undefined, undefined, undefined, undefined],
    )
    assert.throws(() => requiredText({}, 'a'), INVALID)
    assert.throws(() => requiredOneOf({}, 'a', ['x']), INVALID)
  })

  it('are text of 1 to 1,024 characters, as client ids are that are recorded', () => {
    assert.equal(text({ a: 'x'.repeat(1_024) }, 'a'), 'x'.repeat(1_024))
    for (const a of ['', 'x'.repeat(1_025), 1, null, ['x'], {}]) assert.throws(() => text({ a }, 'a'), INVALID)
  })

  it('are true or false, and nothing that looks like it', () => {
    assert.equal(flag({ a: false }, 'a'), false)
    for (const a of ['true', 1, null]) assert.throws(() => flag({ a }, 'a'), INVALID)
  })

  it('are whole numbers, in JSON and in a query', () => {
    for (const [a, expected] of [
      [0, 0],
      ['007', 7],
      [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ] as const)
      assert.equal(wholeNumber({ a }, 'a'), expected)
    for (const a of [-1, 1.5, '1.5', '-1', '', '1e3', Number.NaN, 2 ** 53, '9'.repeat(16), null])
      assert.throws(() => wholeNumber({ a }, 'a'), INVALID)
  })

  it('are one of some', () => {
    assert.equal(requiredOneOf({ a: 'y' }, 'a', ['x', 'y']), 'y')
    for (const a of ['z', 'constructor', 1]) assert.throws(() => oneOf({ a }, 'a', ['x', 'y']), INVALID)
  })

  it('of a query lack those that a form has left empty', () => {
    assert.deepEqual(queryFields(new URLSearchParams('a=1&b=&c=3')), { a: '1', c: '3' })
  })
})

describe('how much of a list is told', () => {
  it('is 50, or as much as is asked for, up to 200', () => {
    assert.deepEqual([limitIn({}), limitIn({ limit: '200' })], [50, 200])
    for (const limit of ['0', '201', 'all']) assert.throws(() => limitIn({ limit }), INVALID)
  })

  it('says whether there is more, and reads one beyond it at most', async () => {
    let read = 0
    async function* numbers(upTo: number): AsyncGenerator<number> {
      for (read = 0; read < upTo; ) yield read++
    }
    assert.deepEqual(await firstOf(numbers(2), 2), { items: [0, 1], more: false })
    assert.deepEqual(await firstOf(numbers(100), 2), { items: [0, 1], more: true })
    assert.equal(read, 3)
  })
})

describe('the body of a request', () => {
  const sent = (type: string | undefined, body: string | ReadableStream): Request => {
    const request = new Request('https://op.example.com/', { method: 'POST', body, duplex: 'half' } as RequestInit)
    if (type === undefined) request.headers.delete('Content-Type')
    else request.headers.set('Content-Type', type)
    return request
  }

  it('is a JSON object of the right type', async () => {
    assert.deepEqual(await jsonBody(sent('APPLICATION/json ;charset=utf-8', '{"a":1}')), { a: 1 })
    for (const type of [undefined, 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonp'])
      await assert.rejects(jsonBody(sent(type, '{}')), { status: 415, code: 'NOT_JSON' })
    for (const body of ['', '{', '[]', 'null', '1', '"a"', '{"a":1}x'])
      await assert.rejects(jsonBody(sent('application/json', body)), { status: 400, code: 'JSON_INVALID' })
  })

  it('is a form of the right type', async () => {
    const type = 'application/x-www-form-urlencoded'
    assert.deepEqual(await formBody(sent(type, 'a=1+2&b=&c=%C3%AB')), { a: '1 2', c: 'ë' })
    for (const other of [undefined, 'application/json', 'multipart/form-data; boundary=x'])
      await assert.rejects(formBody(sent(other, 'a=1')), { status: 415, code: 'NOT_A_FORM' })
  })

  it('of more than 16 KiB is refused, and not read to its end', async () => {
    let pulled = 0
    let isCancelled = false
    const endless = new ReadableStream({
      pull(controller) {
        pulled += 1
        controller.enqueue(new Uint8Array(1_000))
      },
      cancel() {
        isCancelled = true
      },
    })
    await assert.rejects(jsonBody(sent('application/json', endless)), { status: 413, code: 'BODY_TOO_LARGE' })
    assert.ok(isCancelled)
    assert.ok(pulled < 25, `${pulled} chunks`)
  })

  it('is the same, wherever it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: anyCharacter, maxLength: 60 }),
        fc.integer({ min: 1, max: 7 }),
        async (a, size) => {
          const bytes = Buffer.from(JSON.stringify({ a }))
          const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
            Uint8Array.from(bytes.subarray(index * size, (index + 1) * size)),
          )
          assert.deepEqual(await jsonBody(sent('application/json', ReadableStream.from(chunks))), { a })
        },
      ),
    )
  })
})

describe('an error that a request may meet', () => {
  it('is known by its code, and nothing is told of others', () => {
    const known = new WebError(409, 'KNOWN', 'this is known')
    assert.equal(asWebError(known), known)
    const away = asWebError(Object.assign(new Error('the store is away'), { code: 'STORE_UNAVAILABLE' }))
    assert.deepEqual([away?.status, away?.code, away?.message], [503, 'STORE_UNAVAILABLE', 'the store is away'])
    for (const error of [new Error('a secret'), Object.assign(new Error('a secret'), { code: 'ENOENT' }), 'a secret'])
      assert.equal(asWebError(error), undefined)
  })
})
