import assert from 'node:assert/strict'
import { EventTypeUnknownError } from '../../lib/index.ts'
import { REASONS } from '../../plugins/back-channel-logout/reasons.ts'
import type { SessionLogout } from '../../plugins/back-channel-logout/recording/session-logout.ts'
import { type SessionLogoutEvent, toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { evolve, nothing } from '../../plugins/back-channel-logout/recording/session-logout-fold.ts'
import {
  abandoned,
  attemptFailed,
  commitOf,
  FIRST_AT,
  fold,
  historyOf,
  registered,
  registeredWithoutUri,
  rejected,
  sent,
  superseded,
  terminated,
} from '../support/session-log.ts'

const UID = 'the-session'

/** Who is owed a token, end by end. */
function owed(...events: SessionLogoutEvent[]): string[][] {
  return owedIn(fold(UID, historyOf(UID, events)))
}

/** A client that had no known URI has one. */
function owedFact(delivery: string): SessionLogoutEvent {
  return { type: 'session_logout.back_channel.owed', delivery, client_id: 'a' }
}

function owedIn({ terminations }: SessionLogout): string[][] {
  return terminations.map((end) => end.owed.map(({ registration: { clientId, sid } }) => `${clientId} ${sid}`))
}

describe('the logout of a session, as the log tells it', () => {
  it('owes each RP a token when the session ends', () => {
    assert.deepEqual(owed(registered('b', '2'), registered('a', '1'), terminated()), [['a 1', 'b 2']])
  })

  it('owes nobody anything before', () => {
    const logout = fold(UID, historyOf(UID, [registered('a', '1')]))
    assert.deepEqual(logout.terminations, [])
    assert.deepEqual(
      [...logout.registrations.values()],
      [{ clientId: 'a', sid: '1', sealedSubject: 'sealed for a', includeSid: true, hasUri: true }],
    )
  })

  it('owes an RP whose login ended alone nothing more when the rest ends', () => {
    const history = [registered('a', '1'), registered('b', '2'), terminated(['1']), terminated()]
    assert.deepEqual(owed(...history), [['a 1'], ['b 2']])
  })

  it('owes nothing for an end that is told twice', () => {
    assert.deepEqual(owed(registered('a', '1'), terminated(), terminated()), [['a 1'], []])
  })

  it('owes a new login its own token, and the one before its own', () => {
    const both = [registered('a', '1'), registered('a', '2'), terminated()]
    assert.deepEqual(owed(...both), [['a 1', 'a 2']])
    const again = [registered('a', '1'), terminated(['1']), registered('a', '2'), terminated()]
    assert.deepEqual(owed(...again), [['a 1'], ['a 2']])
  })

  it('owes one token where a client was never given its sids: it ends all of them', () => {
    const without = { session_required: false }
    const history = [registered('a', '1', without), registered('a', '2', without), registered('b', '3', without)]
    assert.deepEqual(owed(...history, terminated()), [['a 1', 'b 3']])
  })

  it('takes a login whose ID tokens carry the sid later for one', () => {
    const logout = fold(
      UID,
      historyOf(UID, [registered('a', '1', { session_required: false }), registered('a', '1'), terminated()]),
    )
    assert.deepEqual(owedIn(logout), [['a 1']])
    assert.equal(logout.terminations[0]?.owed[0]?.registration.includeSid, true)
  })

  it('owes a client nothing for reasons that it does not want to hear of', () => {
    for (const reason of REASONS) {
      const history = [
        registered('all', '1'),
        registered('one', '2', { initiators: [reason] }),
        registered('none', '3', { initiators: [] }),
        registered('others', '4', { initiators: REASONS.filter((other) => other !== reason) }),
      ]
      assert.deepEqual(owed(...history, terminated('session', { reason })), [['all 1', 'one 2']])
    }
  })

  it('takes client ids and sids for what they are, whatever is in them', () => {
    const names = ['__proto__', 'a.b', '$where', 'a","b', '\u0000', '💥', '']
    const history = names.map((name) => registered(name, name))
    assert.equal(new Set(owed(...history, terminated())[0]).size, names.length)
  })

  it('names each delivery after its place in the log, so that planning it twice makes it once', () => {
    const events = [
      { stream: 'Session:x', type: 'Session:destroyed', data: {} },
      toEvent(UID, registered('a', '1')),
      toEvent(UID, registered('b', '2')),
      toEvent(UID, terminated()),
    ]
    const { terminations } = fold(UID, [commitOf(7, events)])
    assert.deepEqual(
      terminations[0]?.owed.map(({ delivery }) => delivery),
      ['7/3.0', '7/3.1'],
    )
  })

  it('tells what is known of an end', () => {
    const [end] = fold(
      UID,
      historyOf(UID, [terminated(['9'], { actor: 'ops', by_client: 'a', reason: 'admin' })]),
    ).terminations
    assert.deepEqual(end, {
      position: 1,
      at: FIRST_AT,
      reason: 'admin',
      origin: 'https://op.example.com',
      scope: ['9'],
      actor: 'ops',
      initiatingClient: 'a',
      owed: [],
      undecided: [],
    })
  })

  it('passes over other streams and other facts', () => {
    const foreign = [
      toEvent('another-session', registered('a', '1')),
      { stream: `session_logout:${UID}`, type: 'note.taken', data: {} },
    ]
    assert.deepEqual(evolve(nothing(UID), commitOf(1, foreign)), nothing(UID))
  })

  it('owes a client that had no known URI at the login nothing, until it is known to have one', () => {
    const late = registeredWithoutUri('a', '1', { session_required: false })
    const history = [late, registered('b', '2'), terminated()]
    assert.deepEqual(owed(...history), [['b 2']])
    const logout = fold(UID, historyOf(UID, history))
    assert.deepEqual(
      logout.terminations[0]?.undecided.map(({ delivery, registration }) => [delivery, registration.clientId]),
      [['3/0.0', 'a']],
    )
    assert.equal(logout.deliveries.get('3/0.0'), undefined)
    const decided = fold(UID, historyOf(UID, [...history, owedFact('3/0.0')]))
    assert.deepEqual(owedIn(decided), [['b 2', 'a 1']])
    assert.deepEqual(decided.deliveries.get('3/0.0'), { kind: 'pending', attempts: 0 })
    const told = fold(UID, historyOf(UID, [...history, owedFact('3/0.0'), sent('3/0.0'), owedFact('3/0.0')]))
    assert.equal(told.deliveries.get('3/0.0')?.kind, 'confirmed')
    assert.equal(owedIn(told)[0]?.length, 2)
  })

  it('owes it once, though two have found that it is owed', () => {
    const history = [registeredWithoutUri('a', '1'), registeredWithoutUri('b', '2'), terminated()]
    const [end] = fold(UID, historyOf(UID, [...history, owedFact('3/0.0'), owedFact('3/0.0')])).terminations
    assert.deepEqual(
      [end?.owed.map(({ delivery }) => delivery), end?.undecided.map(({ delivery }) => delivery)],
      [['3/0.0'], ['3/0.1']],
    )
  })

  it('takes any outcome of such a delivery for a sign that it is owed', () => {
    const history = [registeredWithoutUri('a', '1'), terminated()]
    for (const outcome of [sent('2/0.0'), attemptFailed('2/0.0'), rejected('2/0.0'), abandoned('2/0.0')])
      assert.deepEqual(owed(...history, outcome), [['a 1']])
  })

  it('keeps what was known of a login that is registered again by a process that knows less', () => {
    const history = [registered('a', '1', { initiators: ['rp_initiated'] })]
    const again = registeredWithoutUri('a', '1', { session_required: false })
    const [kept] = fold(UID, historyOf(UID, [...history, again])).registrations.values()
    assert.deepEqual([kept?.includeSid, kept?.hasUri, kept?.initiators], [true, true, ['rp_initiated']])
    const [fresh] = fold(UID, historyOf(UID, [...history, registered('a', '1')])).registrations.values()
    assert.equal(fresh?.initiators, undefined, 'who knows the client knows what it wants now')
  })

  it('owes the login with a known URI the one token of a client that was never given its sids', () => {
    const bare = { session_required: false }
    const history = [registeredWithoutUri('a', '1', bare), registered('a', '2', bare)]
    assert.deepEqual(owed(...history, terminated()), [['a 2']])
  })

  it('stops at a fact of its own that this version does not know', () => {
    const stranger = { stream: `session_logout:${UID}`, type: 'session_logout.back_channel.sung', data: {} }
    assert.throws(
      () => fold(UID, [commitOf(1, [stranger])]),
      (error) => error instanceof EventTypeUnknownError && error.code === 'EVENT_TYPE_UNKNOWN',
    )
  })
})

describe('a delivery, as the log tells it', () => {
  const OWED = [registered('rp', 'sid'), terminated()]
  const ID = '2/0.0'

  function stateAfter(...events: SessionLogoutEvent[]): unknown {
    return fold(UID, historyOf(UID, [...OWED, ...events])).deliveries.get(ID)
  }

  it('is pending until it is settled, and knows how it failed last', () => {
    assert.deepEqual(stateAfter(), { kind: 'pending', attempts: 0 })
    const state = stateAfter(attemptFailed(ID, 1), attemptFailed(ID, 2))
    assert.deepEqual(state, { kind: 'pending', attempts: 2, lastFailure: attemptFailed(ID, 2) })
  })

  it('is confirmed, rejected, abandoned or superseded', () => {
    const at = FIRST_AT + 2_000
    assert.deepEqual(stateAfter(sent(ID)), { kind: 'confirmed', at, attempt: 1, status: 200, tookMs: 12 })
    assert.deepEqual(stateAfter(rejected(ID)), { kind: 'rejected', at, attempt: 3, status: 400, answer: 'no' })
    assert.deepEqual(stateAfter(abandoned(ID)), { kind: 'abandoned', at, failureReason: 'budget_spent', attempts: 11 })
    assert.deepEqual(stateAfter(superseded(ID)), { kind: 'superseded', at, supersededBy: 'newer_login', attempts: 2 })
  })

  it('stays settled when somebody who held it reports a failure late', () => {
    for (const settling of [sent(ID), rejected(ID), abandoned(ID), superseded(ID)]) {
      assert.deepEqual(stateAfter(settling, attemptFailed(ID, 9)), stateAfter(settling))
    }
  })
})
