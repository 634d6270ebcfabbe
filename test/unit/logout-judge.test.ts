import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  classifyResponse,
  parseRetryAfter,
  type ResponseVerdict,
  showsLife,
} from '../../plugins/back-channel-logout/delivery/classify-response.ts'
import type { Answer } from '../../plugins/back-channel-logout/network/answer.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const HOUR_MS = 3_600_000
const POLICY = { confirmedBy: [200, 202, 204], maxRetryAfterMs: HOUR_MS }

function answered(status: number, retryAfter?: string): Answer {
  return { kind: 'answered', status, body: 'said', ...(retryAfter !== undefined && { retryAfter }) }
}

describe('the judgement of an answer', () => {
  const SPECIAL: Readonly<Record<number, ResponseVerdict>> = {
    200: { verdict: 'confirmed', status: 200 },
    202: { verdict: 'confirmed', status: 202 },
    204: { verdict: 'confirmed', status: 204 },
    400: { verdict: 'bad_request', status: 400, body: 'said' },
    410: { verdict: 'gone', status: 410, body: 'said' },
  }

  it('is, for each status from 100 to 599, what the table says, and else to try again', () => {
    for (let status = 100; status <= 599; status++) {
      assert.deepEqual(
        classifyResponse(answered(status), POLICY, NOW),
        SPECIAL[status] ?? { verdict: 'again', status, body: 'said' },
      )
    }
  })

  it('is to try again when nothing was answered', () => {
    assert.deepEqual(classifyResponse({ kind: 'failed', error: 'ECONNREFUSED' }, POLICY, NOW), {
      verdict: 'again',
      error: 'ECONNREFUSED',
    })
  })

  it('passes on how long the RP wants to be left alone', () => {
    assert.deepEqual(classifyResponse(answered(503, '120'), POLICY, NOW), {
      verdict: 'again',
      status: 503,
      body: 'said',
      retryAfterMs: 120_000,
    })
    assert.deepEqual(classifyResponse(answered(503, 'soon'), POLICY, NOW), {
      verdict: 'again',
      status: 503,
      body: 'said',
    })
  })

  it('does not let Retry-After put off what is settled', () => {
    for (const status of [200, 202, 204, 410])
      assert.ok(!('retryAfterMs' in classifyResponse(answered(status, '120'), POLICY, NOW)))
  })
})

describe('the answers by which a client confirms', () => {
  it('are those that its policy names, and no others', () => {
    const policy = { ...POLICY, confirmedBy: [204, 400, 410] }
    const verdicts = [200, 204, 400, 410].map((status) => classifyResponse(answered(status), policy, NOW).verdict)
    assert.deepEqual(verdicts, ['again', 'confirmed', 'confirmed', 'confirmed'])
  })

  it('may be those with a text in them: the others of that status mean what they usually do', () => {
    const policy = { ...POLICY, confirmedBy: [200, { status: 400, body: 'no such session' }] }
    const says = (status: number, body: string): ResponseVerdict =>
      classifyResponse({ kind: 'answered', status, body }, policy, NOW)
    assert.equal(says(400, '{"error":"no such session"}').verdict, 'confirmed')
    assert.equal(says(400, 'stale keys').verdict, 'bad_request')
    assert.equal(says(404, 'no such session').verdict, 'again')
    assert.equal(says(200, '').verdict, 'confirmed')
  })
})

describe('a sign of life of an RP', () => {
  const alive = (answer: Answer, policy = POLICY): boolean => showsLife(answer, classifyResponse(answer, policy, NOW))

  it('is every status below 500 but 429, and no 5xx', () => {
    for (let status = 200; status <= 599; status++)
      assert.equal(alive(answered(status)), status < 500 && status !== 429, `${status}`)
  })

  it('is a 429 that says when to come back, if that is honoured, and no other 429', () => {
    assert.equal(alive(answered(429, '120')), true)
    assert.equal(alive(answered(429)), false)
    assert.equal(alive(answered(429, '0')), false)
    assert.equal(alive(answered(429, 'soon')), false)
    assert.equal(alive(answered(429, '120'), { ...POLICY, maxRetryAfterMs: 0 }), false)
  })

  it('is no 503, though it says when to come back', () => {
    assert.equal(alive(answered(503, '120')), false)
  })

  it('is not when nothing was answered', () => {
    assert.equal(alive({ kind: 'failed', error: 'ECONNREFUSED' }), false)
  })

  it('is what confirms, whatever its status', () => {
    assert.equal(alive(answered(429), { ...POLICY, confirmedBy: [429] }), true)
  })
})

describe('Retry-After', () => {
  const FORMS: readonly (readonly [string | undefined, number | undefined])[] = [
    [undefined, undefined],
    ['', undefined],
    ['0', undefined],
    ['1', 1_000],
    [' 30 ', 30_000],
    ['3600', HOUR_MS],
    ['3601', HOUR_MS],
    ['99999999999999999999999', HOUR_MS],
    ['-5', undefined],
    ['1.5', undefined],
    ['0x10', undefined],
    ['1e3', undefined],
    ['soon', undefined],
    ['5 apples', undefined],
    ['Thu, 01 Jan 2026 00:02:00 GMT', 120_000],
    ['Thu, 01 Jan 2026 05:00:00 GMT', HOUR_MS],
    ['Thu, 01 Jan 2026 00:00:00 GMT', undefined],
    ['Wed, 31 Dec 2025 23:59:00 GMT', undefined],
    ['Thursday, 01-Jan-26 00:02:00 GMT', 120_000],
    ['Thu Jan  1 00:02:00 2026 GMT', 120_000],
    ['1, 2', undefined],
  ]
  for (const [value, waitMs] of FORMS) {
    it(`${JSON.stringify(value)} is ${waitMs === undefined ? 'nothing to wait for' : `${waitMs} ms`}`, () => {
      assert.equal(parseRetryAfter(value, HOUR_MS, NOW), waitMs)
    })
  }

  it('is honoured as far as the policy says, and not at all where that is 0', () => {
    assert.equal(parseRetryAfter('120', 7_000, NOW), 7_000)
    assert.equal(parseRetryAfter('7200', 24 * HOUR_MS, NOW), 2 * HOUR_MS)
    assert.equal(parseRetryAfter('120', 0, NOW), undefined)
  })

  it('is, whatever an RP writes, nothing or a wait of up to what the policy says', () => {
    const anything = fc.oneof(fc.string(), fc.nat().map(String), fc.integer().map(String), fc.date().map(String))
    fc.assert(
      fc.property(anything, fc.nat(HOUR_MS), fc.integer({ min: 0, max: 4e12 }), (value, mostMs, now) => {
        const waitMs = parseRetryAfter(value, mostMs, now)
        return waitMs === undefined || (waitMs > 0 && waitMs <= mostMs)
      }),
      { numRuns: 2_000 },
    )
  })
})
