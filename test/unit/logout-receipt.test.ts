import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Receipt, receiptOf } from '../../plugins/back-channel-logout/receipts/receipt.ts'
import type { SessionLogoutEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import {
  abandoned,
  attemptFailed,
  FIRST_AT,
  fold,
  historyOf,
  registered,
  rejected,
  replayed,
  sent,
  superseded,
  terminated,
} from '../support/session-log.ts'

const TWO = [registered('one', '1'), registered('two', '2'), terminated('session', { by_client: 'one' })]
const ENDED_AT = FIRST_AT + 2_000
const [FIRST, SECOND] = ['3/0.0', '3/0.1'] as const

function receipt(...events: SessionLogoutEvent[]): Receipt {
  return receiptOf(fold('uid', historyOf('uid', events)))
}

describe('the receipt of a session that has not ended', () => {
  it('has no ends, and nobody is to be told', () => {
    assert.deepEqual(receipt(registered('one', '1')), { sessionUid: 'uid', ends: [], settled: true })
  })
})

describe('the receipt of a logout', () => {
  it('says why, when, for whom and who is to be told', () => {
    assert.deepEqual(receipt(...TWO), {
      sessionUid: 'uid',
      ends: [
        {
          reason: 'rp_initiated',
          at: ENDED_AT,
          origin: 'https://op.example.com',
          scope: 'session',
          initiatingClient: 'one',
          relyingParties: [
            { clientId: 'one', sid: '1', delivery: FIRST, state: 'pending', attempts: 0 },
            { clientId: 'two', sid: '2', delivery: SECOND, state: 'pending', attempts: 0 },
          ],
        },
      ],
      settled: false,
    })
  })

  it('says how long it took, once all have confirmed: as long as the slowest', () => {
    const [end] = receipt(...TWO, sent(FIRST), sent(SECOND, { attempt: 2 })).ends
    assert.equal(end?.timeToLogoutMs, 2_000)
    assert.deepEqual(
      end?.relyingParties.map(({ state, at, attempts, status, timeToLogoutMs }) => [
        state,
        at,
        attempts,
        status,
        timeToLogoutMs,
      ]),
      [
        ['confirmed', ENDED_AT + 1_000, 1, 200, 1_000],
        ['confirmed', ENDED_AT + 2_000, 2, 200, 2_000],
      ],
    )
  })

  it('says what failed and when it is tried again', () => {
    const [entry] = receipt(...TWO, attemptFailed(FIRST)).ends[0]?.relyingParties ?? []
    assert.deepEqual(entry, {
      clientId: 'one',
      sid: '1',
      delivery: FIRST,
      state: 'pending',
      attempts: 1,
      status: 503,
      failureReason: 'HTTP 503',
      nextAttemptAt: FIRST_AT + 60_000,
      failures: [{ attempt: 1, at: ENDED_AT + 1_000, status: 503 }],
    })
  })

  it('keeps what the RP said to each attempt that failed, after it has confirmed too, and through replays', () => {
    const said = (attempt: number, answer: string, round = 0): SessionLogoutEvent =>
      ({ ...attemptFailed(FIRST, attempt, round > 0 ? { round } : {}), answer }) as SessionLogoutEvent
    const [entry] =
      receipt(
        ...TWO,
        said(1, 'out of disk'),
        said(2, ''),
        rejected(FIRST),
        replayed(FIRST),
        said(1, 'stale keys', 1),
        sent(FIRST, { round: 1, attempt: 2 }),
      ).ends[0]?.relyingParties ?? []
    assert.equal(entry?.state, 'confirmed')
    assert.deepEqual(entry?.failures, [
      { attempt: 1, at: ENDED_AT + 1_000, status: 503, answer: 'out of disk' },
      { attempt: 2, at: ENDED_AT + 2_000, status: 503 },
      { attempt: 3, at: ENDED_AT + 3_000, status: 400, answer: 'no' },
      { attempt: 1, at: ENDED_AT + 5_000, status: 503, answer: 'stale keys' },
    ])
  })

  it('counts the last attempt of a spent budget among those that failed, and no end that had no attempt', () => {
    const spent = { ...abandoned(FIRST), error: 'ECONNREFUSED' } as SessionLogoutEvent
    const expired = { ...abandoned(SECOND), failure_reason: 'expired', status: 500 } as SessionLogoutEvent
    const [one, two] = receipt(...TWO, spent, expired).ends[0]?.relyingParties ?? []
    assert.deepEqual(one?.failures, [{ attempt: 11, at: ENDED_AT + 1_000, error: 'ECONNREFUSED' }])
    assert.equal(two?.failures, undefined)
  })

  it('keeps the last 25 of them', () => {
    const many = Array.from({ length: 40 }, (_, i) => attemptFailed(FIRST, i + 1))
    const [entry] = receipt(...TWO, ...many).ends[0]?.relyingParties ?? []
    assert.deepEqual(
      entry?.failures?.map(({ attempt }) => attempt),
      Array.from({ length: 25 }, (_, i) => i + 16),
    )
  })

  it('never counts a refusal or a dead letter as a logout', () => {
    const end = receipt(...TWO, rejected(FIRST), abandoned(SECOND)).ends[0]
    assert.equal(end?.timeToLogoutMs, undefined)
    assert.deepEqual(
      end?.relyingParties.map(({ state, failureReason, attempts }) => [state, failureReason, attempts]),
      [
        ['rejected', 'no', 3],
        ['abandoned', 'budget_spent', 11],
      ],
    )
    assert.equal(receipt(...TWO, rejected(FIRST), abandoned(SECOND)).settled, true)
  })

  it('never counts a delivery that a newer login supersedes as a logout, and waits for it no more', () => {
    const { ends, settled } = receipt(...TWO, sent(FIRST), superseded(SECOND))
    assert.deepEqual(
      ends[0]?.relyingParties.map(({ state, failureReason, attempts, at }) => [state, failureReason, attempts, at]),
      [
        ['confirmed', undefined, 1, ENDED_AT + 1_000],
        ['superseded', 'newer_login', 2, ENDED_AT + 2_000],
      ],
    )
    assert.equal(ends[0]?.timeToLogoutMs, undefined)
    assert.equal(settled, true)
  })

  it('says no time to logout where nobody was to be told', () => {
    assert.deepEqual(receipt(terminated()).ends[0]?.relyingParties, [])
    assert.equal(receipt(terminated()).ends[0]?.timeToLogoutMs, undefined)
    assert.equal(receipt(terminated()).settled, true)
  })

  it('is settled when every end is', () => {
    const history = [registered('one', '1'), registered('two', '2'), terminated(['1'], { actor: 'ops' }), terminated()]
    const told = sent('3/0.0')
    const half = receipt(...history, told)
    assert.deepEqual(
      half.ends.map(({ scope, actor, relyingParties }) => [scope, actor, relyingParties[0]?.state]),
      [
        ['logins', 'ops', 'confirmed'],
        ['session', undefined, 'pending'],
      ],
    )
    assert.equal(half.settled, false)
    assert.equal(receipt(...history, told, sent('4/0.0')).settled, true)
  })

  it('takes no time, never less, where the clock went back in between', () => {
    const commits = historyOf('uid', [...TWO, sent(FIRST)])
    const back = commits.map((commit, i) => (i === 3 ? { ...commit, at: 1 } : commit))
    const [entry] = receiptOf(fold('uid', back)).ends[0]?.relyingParties ?? []
    assert.equal(entry?.timeToLogoutMs, 0)
  })

  it('is settled exactly when nothing is pending, in any order of outcomes', () => {
    const outcome = fc.constantFrom(sent, rejected, abandoned, superseded, attemptFailed)
    const outcomes = fc.array(fc.tuple(fc.constantFrom(FIRST, SECOND), outcome), { maxLength: 8 })
    fc.assert(
      fc.property(outcomes, (made) => {
        const { settled, ends } = receipt(...TWO, ...made.map(([id, make]) => make(id)))
        const states = ends.flatMap(({ relyingParties }) => relyingParties.map(({ state }) => state))
        assert.equal(settled, !states.includes('pending'))
        const ended = (id: string): boolean => made.some(([other, make]) => other === id && make !== attemptFailed)
        assert.equal(settled, ended(FIRST) && ended(SECOND))
      }),
    )
  })
})
