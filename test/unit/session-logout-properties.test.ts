import assert from 'node:assert/strict'
import fc from 'fast-check'
import { REASONS } from '../../plugins/back-channel-logout/reasons.ts'
import type { DeliveryState } from '../../plugins/back-channel-logout/recording/session-logout.ts'
import { roundOf, type SessionLogoutEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import {
  abandoned,
  attemptFailed,
  fold,
  historyOf,
  registered,
  rejected,
  replayed,
  sent,
  superseded,
  terminated,
} from '../support/session-log.ts'

const UID = 'uid'

const client = fc.constantFrom('a', 'b', 'c', '__proto__')
const reason = fc.constantFrom(...REASONS)
/** A sid belongs to one client. */
const login = fc.tuple(client, fc.nat(3)).map(([name, n]) => ({ name, sid: `${name}-${n}` }))
const place = fc.tuple(fc.nat(30), fc.nat(3)).map(([position, part]) => `${position}/0.${part}`)
const inRound = fc.nat(2).map((round) => (round > 0 ? { round } : {}))

const event: fc.Arbitrary<SessionLogoutEvent> = fc.oneof(
  fc
    .tuple(login, fc.boolean(), fc.option(fc.subarray([...REASONS]), { nil: undefined }))
    .map(([{ name, sid }, includeSid, initiators]) =>
      registered(name, sid, { session_required: includeSid, ...(initiators && { initiators }) }),
    ),
  fc.tuple(fc.array(login, { maxLength: 3 }), reason).map(([logins, why]) =>
    terminated(
      logins.map(({ sid }) => sid),
      { reason: why },
    ),
  ),
  reason.map((why) => terminated('session', { reason: why })),
  fc.tuple(place, inRound).map(([delivery, round]) => sent(delivery, round)),
  fc
    .tuple(place, fc.integer({ min: 1, max: 11 }), inRound)
    .map(([delivery, attempt, round]) => attemptFailed(delivery, attempt, round)),
  fc.tuple(place, inRound).map(([delivery, round]) => rejected(delivery, round)),
  fc.tuple(place, inRound).map(([delivery, round]) => abandoned(delivery, round)),
  fc.tuple(place, inRound).map(([delivery, round]) => superseded(delivery, round)),
  fc.tuple(place, fc.integer({ min: 1, max: 3 })).map(([delivery, round]) => replayed(delivery, round)),
)
const history = fc.array(event, { maxLength: 30 })

/** What may be said of the one delivery of a session that has ended, in any order. */
const OWED = [registered('rp', 'sid'), terminated()]
const ONE = '2/0.0'
const outcomeOfOne = inRound.chain((round) =>
  fc.constantFrom(
    sent(ONE, round),
    rejected(ONE, round),
    abandoned(ONE, round),
    superseded(ONE, round),
    attemptFailed(ONE, 2, round),
  ),
)
const aboutOne = fc.array(
  fc.oneof(
    outcomeOfOne,
    fc.integer({ min: 1, max: 3 }).map((round) => replayed(ONE, round)),
  ),
  {
    maxLength: 12,
  },
)

function stateAfter(events: readonly SessionLogoutEvent[]): DeliveryState {
  const state = fold(UID, historyOf(UID, [...OWED, ...events])).deliveries.get(ONE)
  assert.ok(state)
  return state
}

describe('any history of a session', () => {
  it('owes each login at most once for each time that it was registered', () => {
    fc.assert(
      fc.property(history, (events) => {
        const { terminations } = fold(UID, historyOf(UID, events))
        const owed = terminations.flatMap((end) => end.owed.map(({ registration }) => registration.sid))
        const registrations = events.flatMap((one) =>
          'oidc_session_id' in one && 'user_id' in one ? [one.oidc_session_id] : [],
        )
        for (const sid of new Set(owed)) {
          const times = (sids: readonly string[]): number => sids.filter((other) => other === sid).length
          assert.ok(times(owed) <= times(registrations), sid)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('leaves no login behind once the whole session has ended', () => {
    fc.assert(
      fc.property(history, (events) => {
        const { registrations } = fold(UID, historyOf(UID, [...events, terminated()]))
        assert.equal(registrations.size, 0)
      }),
    )
  })

  it('gives every delivery a name of its own', () => {
    fc.assert(
      fc.property(history, (events) => {
        const { terminations, deliveries } = fold(UID, historyOf(UID, events))
        const names = terminations.flatMap(({ owed }) => owed.map(({ delivery }) => delivery))
        assert.equal(new Set(names).size, names.length)
        for (const name of names) assert.ok(deliveries.has(name))
      }),
    )
  })

  it('owes at one end at most one token without sid to a client', () => {
    fc.assert(
      fc.property(history, (events) => {
        for (const { owed } of fold(UID, historyOf(UID, events)).terminations) {
          const clients = owed
            .filter(({ registration }) => !registration.includeSid)
            .map(({ registration }) => registration.clientId)
          assert.equal(new Set(clients).size, clients.length)
        }
      }),
    )
  })

  it('never changes what was owed, whatever comes later', () => {
    fc.assert(
      fc.property(history, history, (events, later) => {
        const before = fold(UID, historyOf(UID, events)).terminations
        const after = fold(UID, historyOf(UID, [...events, ...later])).terminations
        assert.deepEqual(after.slice(0, before.length), before)
      }),
    )
  })

  it('never takes a settled delivery back by a late failure', () => {
    fc.assert(
      fc.property(history, place, (events, delivery) => {
        const before = fold(UID, historyOf(UID, events)).deliveries.get(delivery)
        const after = fold(UID, historyOf(UID, [...events, attemptFailed(delivery)])).deliveries.get(delivery)
        if (before && before.kind !== 'pending') assert.deepEqual(after, before)
        else assert.equal(after?.kind, 'pending')
      }),
    )
  })

  it('never takes back how a delivery ended, but by a replay into the next round', () => {
    fc.assert(
      fc.property(aboutOne, (events) => {
        let before = stateAfter([])
        events.forEach((one, i) => {
          const after = stateAfter(events.slice(0, i + 1))
          if (before.kind !== 'pending' && after.kind !== before.kind) {
            assert.match(before.kind, /^(rejected|abandoned)$/)
            assert.equal(one.type, 'session_logout.back_channel.replayed')
            assert.deepEqual(after, { kind: 'pending', attempts: 0, round: roundOf(before) + 1 })
          }
          before = after
        })
      }),
      { numRuns: 1_000 },
    )
  })

  it('counts in each round what belongs to it: a late outcome of a former one changes nothing', () => {
    fc.assert(
      fc.property(aboutOne, outcomeOfOne, (events, late) => {
        const before = stateAfter(events)
        const after = stateAfter([...events, late])
        if (roundOf('round' in late ? late : {}) !== roundOf(before)) assert.deepEqual(after, before)
        else assert.equal(roundOf(after), roundOf(before))
      }),
      { numRuns: 1_000 },
    )
  })

  it('begins no round but by a replay, each round once and none left out', () => {
    fc.assert(
      fc.property(aboutOne, (events) => {
        const rounds = events.map((_, i) => roundOf(stateAfter(events.slice(0, i + 1))))
        rounds.forEach((round, i) => {
          const step = round - (rounds[i - 1] ?? 0)
          assert.ok(step === 0 || (step === 1 && events[i]?.type === 'session_logout.back_channel.replayed'))
        })
      }),
    )
  })

  it('leaves the commits that it is folded from as they were', () => {
    fc.assert(
      fc.property(history, (events) => {
        const commits = historyOf(UID, events)
        const frozen = structuredClone(commits)
        fold(UID, commits)
        assert.deepEqual(commits, frozen)
      }),
    )
  })
})
