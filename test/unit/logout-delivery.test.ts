import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ResponseVerdict } from '../../plugins/back-channel-logout/delivery/classify-response.ts'
import {
  type Delivery,
  fromBody,
  isEarly,
  type Step,
  step,
  toBody,
} from '../../plugins/back-channel-logout/delivery/delivery.ts'
import { DEFAULT_POLICY, type DeliveryPolicy } from '../../plugins/back-channel-logout/delivery/delivery-policy.ts'

const NOW = 1_000_000
const MINUTE_MS = 60_000
const MIDDLE = 0.5

const NEW: Delivery = {
  sessionUid: 'uid',
  clientId: 'rp',
  sid: 'sid',
  sealedSubject: 'sealed',
  includeSid: true,
  reason: 'rp_initiated',
  endedAt: NOW,
  attempts: 0,
  badRequests: 0,
}

const CONFIRMED: ResponseVerdict = { verdict: 'confirmed', status: 200 }
const GONE: ResponseVerdict = { verdict: 'gone', status: 410, body: 'never again' }
const BAD: ResponseVerdict = { verdict: 'bad_request', status: 400, body: 'no' }
const AGAIN: ResponseVerdict = { verdict: 'again', status: 503, body: 'out of order' }

/** Goes on as the dispatcher does: until nothing is to be tried again, or there are no more judgements. */
function run(
  judgements: readonly ResponseVerdict[],
  { policy = DEFAULT_POLICY, random = MIDDLE }: { policy?: DeliveryPolicy; random?: number } = {},
): { steps: Step[]; times: number[] } {
  const steps: Step[] = []
  const times: number[] = []
  let delivery = NEW
  let now = NOW
  for (const judgement of judgements) {
    times.push(now)
    const next = step(delivery, judgement, policy, now, random)
    steps.push(next)
    if (next.kind !== 'again') break
    delivery = next.delivery
    now = next.dueAt
  }
  return { steps, times }
}

describe('a delivery', () => {
  it('is confirmed at the first answer that says so', () => {
    const { steps } = run([AGAIN, CONFIRMED, AGAIN])
    assert.deepEqual(
      steps.map(({ kind, delivery }) => [kind, delivery.attempts]),
      [
        ['again', 1],
        ['confirmed', 2],
      ],
    )
  })

  it('is abandoned after eleven failures', () => {
    const { steps, times } = run(Array(20).fill(AGAIN))
    assert.equal(steps.length, 11)
    const last = steps.at(-1)
    assert.deepEqual(
      [last?.kind, last?.delivery.attempts, last?.delivery.failure],
      ['abandoned', 11, { status: 503, answer: 'out of order' }],
    )
    const waits = times.slice(1).map((time, i) => time - (times[i] ?? 0))
    assert.deepEqual(waits, DEFAULT_POLICY.retryDelaysMs)
  })

  it('is tried once, where the policy has no delays', () => {
    const { steps } = run([AGAIN, AGAIN], { policy: { ...DEFAULT_POLICY, retryDelaysMs: [] } })
    assert.deepEqual(
      steps.map(({ kind }) => kind),
      ['abandoned'],
    )
  })

  it('waits as long as the RP asks for, where that is longer', () => {
    const { times } = run([{ verdict: 'again', status: 429, retryAfterMs: 3_600_000 }, AGAIN])
    assert.equal(times[1], NOW + 3_600_000)
    const brief = run([{ verdict: 'again', status: 429, retryAfterMs: 1 }, AGAIN])
    assert.equal(brief.times[1], NOW + 5_000)
  })

  it('keeps why it failed', () => {
    const [next] = run([{ verdict: 'again', error: 'ECONNRESET' }]).steps
    assert.deepEqual(next?.delivery.failure, { error: 'ECONNRESET' })
  })

  it('keeps the start of what the RP said, without the token that it printed', () => {
    const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl'
    for (const judgement of [
      { verdict: 'again' as const, status: 500, body: `stack of ${token} ${'x'.repeat(5_000)}` },
      { verdict: 'bad_request' as const, status: 400, body: `stack of ${token} ${'x'.repeat(5_000)}` },
    ]) {
      const [next] = run([judgement]).steps
      const answer = next?.delivery.failure?.answer ?? ''
      assert.match(answer, /^stack of \[token\] x+$/)
      assert.equal(answer.length, 1_000)
    }
    const [gone] = run([{ verdict: 'gone', status: 410, body: token }]).steps
    assert.ok(gone?.kind === 'rejected' && gone.answer === '[token]')
    const [failed] = run([{ verdict: 'again', error: `proxy refused ${token}` }]).steps
    assert.equal(failed?.delivery.failure?.error, 'proxy refused [token]')
  })

  for (const [what, said, kept] of [
    ['an encrypted token', 'eyJhbGciOiJSU0EifQ.a_b.c-d.e.f!', '[token]!'],
    ['a token that is cut', 'got eyJhbGciOiJSUzI1NiJ9.eyJzdWI', 'got [token]'],
    ['a bearer token', 'Authorization: Bearer mF_9.B5f-4.1JqM and more', 'Authorization: Bearer [token] and more'],
    ['no token', 'eyJ is no token, nor is bearer of news', 'eyJ is no token, nor is bearer of news'],
    ['half a character', 'x\ud83d', 'x\ufffd'],
  ] as const) {
    it(`keeps what the RP said, where that holds ${what}`, () => {
      const [next] = run([{ verdict: 'again', status: 500, body: said }]).steps
      assert.equal(next?.delivery.failure?.answer, kept)
    })
  }

  it('comes out of the work table as it went in', () => {
    assert.deepEqual(fromBody(JSON.parse(JSON.stringify(toBody(NEW)))), NEW)
  })
})

describe('a delivery whose RP answers 410', () => {
  it('is rejected and never tried again', () => {
    const { steps } = run([GONE, AGAIN])
    assert.deepEqual(steps, [
      { kind: 'rejected', delivery: { ...NEW, attempts: 1 }, status: 410, answer: 'never again' },
    ])
  })
})

describe('a delivery whose RP answers 400', () => {
  it('is tried seven times within more than six hours, then rejected', () => {
    const { steps, times } = run(Array(10).fill(BAD))
    assert.deepEqual(
      steps.map(({ kind }) => kind),
      [...Array(6).fill('again'), 'rejected'],
    )
    assert.deepEqual(
      times.map((time) => (time - NOW) / MINUTE_MS),
      [0, 1, 11, 41, 101, 221, 461],
    )
  })

  it('is tried six times over six hours at least, whatever the jitter', () => {
    for (const random of [0, 0.999_999]) {
      const { times } = run(Array(10).fill(BAD), { random })
      assert.ok(times.length >= 6)
      assert.ok((times.at(-1) ?? 0) - NOW >= 360 * MINUTE_MS)
    }
  })

  it('counts the 400s alone: what else fails in between is no refusal', () => {
    const policy = { ...DEFAULT_POLICY, badRequestDelaysMs: [0, 0] }
    const { steps } = run([BAD, AGAIN, AGAIN, BAD, AGAIN, BAD], { policy })
    assert.deepEqual(
      steps.map(({ kind }) => kind),
      ['again', 'again', 'again', 'again', 'again', 'rejected'],
    )
  })

  it('can still be confirmed', () => {
    assert.equal(run([BAD, BAD, CONFIRMED]).steps.at(-1)?.kind, 'confirmed')
  })
})

describe('a delivery that is tried before its time, since its RP seemed to be back', () => {
  const waiting = { ...NEW, attempts: 3, scheduledFor: NOW + 3_600_000, badRequests: 1 }

  it('is early until a second before its time, and never at its first attempt', () => {
    assert.equal(isEarly(waiting, NOW + 3_598_999), true)
    assert.equal(isEarly(waiting, NOW + 3_599_000), false)
    assert.equal(isEarly(NEW, 0), false)
  })

  for (const judgement of [AGAIN, BAD, { verdict: 'again', error: 'ECONNRESET' } as const]) {
    it(`keeps its place in the schedule when that fails: ${JSON.stringify(judgement)}`, () => {
      const next = step(waiting, judgement, DEFAULT_POLICY, NOW, MIDDLE)
      assert.ok(next.kind === 'again')
      const { attempts, early, badRequests, scheduledFor } = next.delivery
      assert.deepEqual([attempts, early, badRequests], [4, 1, 1])
      assert.deepEqual([next.dueAt, scheduledFor], [NOW + 3_600_000, NOW + 3_600_000])
      const then = step(next.delivery, AGAIN, DEFAULT_POLICY, NOW + 3_600_000, MIDDLE)
      assert.ok(then.kind === 'again')
      assert.equal(then.dueAt - NOW - 3_600_000, DEFAULT_POLICY.retryDelaysMs[3])
    })
  }

  it('is not a dead letter for an early attempt, though it had none left but the last', () => {
    const last = { ...waiting, attempts: 10, badRequests: 6 }
    for (const judgement of [AGAIN, BAD]) assert.equal(step(last, judgement, DEFAULT_POLICY, NOW, MIDDLE).kind, 'again')
    assert.equal(step(last, AGAIN, DEFAULT_POLICY, NOW + 3_600_000, MIDDLE).kind, 'abandoned')
    assert.equal(step(last, BAD, DEFAULT_POLICY, NOW + 3_600_000, MIDDLE).kind, 'rejected')
  })

  it('waits longer than its schedule where the RP asks for it', () => {
    const next = step(waiting, { ...AGAIN, retryAfterMs: 7_200_000 }, DEFAULT_POLICY, NOW, MIDDLE)
    assert.ok(next.kind === 'again')
    assert.equal(next.dueAt, NOW + 7_200_000)
  })

  it('is confirmed, or refused for good, as at any time', () => {
    assert.equal(step(waiting, CONFIRMED, DEFAULT_POLICY, NOW, MIDDLE).kind, 'confirmed')
    assert.equal(step(waiting, GONE, DEFAULT_POLICY, NOW, MIDDLE).kind, 'rejected')
  })
})

describe('any sequence of judgements', () => {
  const judgement: fc.Arbitrary<ResponseVerdict> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ verdict: fc.constant('again' as const), status: fc.integer({ min: 100, max: 599 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        verdict: fc.constant('again' as const),
        retryAfterMs: fc.integer({ min: 1, max: 3_600_000 }),
      }),
    },
    { weight: 3, arbitrary: fc.constant(BAD) },
    { weight: 1, arbitrary: fc.constantFrom(CONFIRMED, GONE) },
  )
  const policy = fc.record({
    retryDelaysMs: fc.array(fc.integer({ min: 0, max: 50_000_000 }), { maxLength: 15 }),
    jitter: fc.double({ min: 0, max: 0.99, noNaN: true }),
    badRequestDelaysMs: fc.array(fc.integer({ min: 0, max: 5_000_000 }), { maxLength: 4 }),
  })
  const random = fc.double({ min: 0, max: 0.999_999, noNaN: true })
  const cases = fc.tuple(fc.array(judgement, { minLength: 20, maxLength: 30 }), policy, random)

  it('comes to an end, within the attempts of the policy, and loses nothing on the way', () => {
    fc.assert(
      fc.property(cases, ([judgements, wish, chance]) => {
        const { steps } = run(judgements, { policy: { ...DEFAULT_POLICY, ...wish }, random: chance })
        assert.ok(steps.length <= wish.retryDelaysMs.length + 1)
        assert.notEqual(steps.at(-1)?.kind, 'again')
        assert.ok(steps.slice(0, -1).every(({ kind }) => kind === 'again'))
        steps.forEach(({ delivery }, i) => {
          const { attempts, badRequests, scheduledFor: ___, failure: ____, ...rest } = delivery
          const { attempts: _, badRequests: __, ...identity } = NEW
          assert.equal(attempts, i + 1)
          assert.equal(
            badRequests,
            judgements.slice(0, i + 1).filter(({ verdict }) => verdict === 'bad_request').length,
          )
          assert.deepEqual(rest, identity)
        })
      }),
      { numRuns: 1_000 },
    )
  })

  it('ends as the last judgement says', () => {
    fc.assert(
      fc.property(cases, ([judgements, wish, chance]) => {
        const { steps } = run(judgements, { policy: { ...DEFAULT_POLICY, ...wish }, random: chance })
        const { verdict } = judgements[steps.length - 1] as ResponseVerdict
        const end = steps.at(-1)?.kind
        if (verdict === 'confirmed') assert.equal(end, 'confirmed')
        else if (verdict === 'gone') assert.equal(end, 'rejected')
        else if (verdict === 'again') assert.equal(end, 'abandoned')
        else {
          const refusals = steps.at(-1)?.delivery.badRequests ?? 0
          assert.equal(end, refusals > wish.badRequestDelaysMs.length ? 'rejected' : 'abandoned')
        }
      }),
    )
  })

  it('takes no for an answer after as many 400s as the policy says, and not before', () => {
    fc.assert(
      fc.property(cases, ([judgements, wish, chance]) => {
        const { steps } = run(judgements, { policy: { ...DEFAULT_POLICY, ...wish }, random: chance })
        for (const { kind, delivery } of steps) {
          const isFinal = delivery.badRequests > wish.badRequestDelaysMs.length
          assert.ok(delivery.badRequests <= wish.badRequestDelaysMs.length + 1)
          if (isFinal) assert.equal(kind, 'rejected')
        }
      }),
      { numRuns: 500 },
    )
  })

  it('waits as long as the policy says, give or take the jitter, or as long as the RP wants', () => {
    fc.assert(
      fc.property(cases, ([judgements, wish, chance]) => {
        const { steps, times } = run(judgements, { policy: { ...DEFAULT_POLICY, ...wish }, random: chance })
        steps.forEach((next, i) => {
          if (next.kind !== 'again') return
          const waitMs = next.dueAt - (times[i] ?? 0)
          const delay = wish.retryDelaysMs[i] ?? 0
          const before = judgements[i] as ResponseVerdict
          const badBefore = judgements.slice(0, i).filter(({ verdict }) => verdict === 'bad_request').length
          const least =
            before.verdict === 'bad_request'
              ? wish.badRequestDelaysMs[badBefore]
              : before.verdict === 'again'
                ? before.retryAfterMs
                : 0
          assert.ok(waitMs >= Math.floor(delay * (1 - wish.jitter)))
          assert.ok(waitMs >= (least ?? 0))
          assert.ok(waitMs <= Math.max(Math.ceil(delay * (1 + wish.jitter)), least ?? 0))
          assert.ok(Number.isSafeInteger(next.dueAt))
        })
      }),
      { numRuns: 1_000 },
    )
  })
})
