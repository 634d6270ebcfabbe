import assert from 'node:assert/strict'
import fc from 'fast-check'
import { fold } from '../../plugins/back-channel-logout/recording/session-logout.ts'
import { REASONS, type SessionLogoutEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { abandoned, attemptFailed, historyOf, registered, rejected, sent, terminated } from '../support/session-log.ts'

const UID = 'uid'

const client = fc.constantFrom('a', 'b', 'c', '__proto__')
const reason = fc.constantFrom(...REASONS)
/** A sid belongs to one client. */
const login = fc.tuple(client, fc.nat(3)).map(([name, n]) => ({ name, sid: `${name}-${n}` }))
const place = fc.tuple(fc.nat(30), fc.nat(3)).map(([position, part]) => `${position}/0.${part}`)

const event: fc.Arbitrary<SessionLogoutEvent> = fc.oneof(
  fc
    .tuple(login, fc.boolean(), fc.option(fc.subarray([...REASONS]), { nil: undefined }))
    .map(([{ name, sid }, withSid, initiators]) =>
      registered(name, sid, { session_required: withSid, ...(initiators && { initiators }) }),
    ),
  fc.tuple(fc.array(login, { maxLength: 3 }), reason).map(([logins, why]) =>
    terminated(
      logins.map(({ sid }) => sid),
      { reason: why },
    ),
  ),
  reason.map((why) => terminated('session', { reason: why })),
  place.map((delivery) => sent(delivery)),
  fc.tuple(place, fc.integer({ min: 1, max: 11 })).map(([delivery, attempt]) => attemptFailed(delivery, attempt)),
  place.map(rejected),
  place.map(abandoned),
)
const history = fc.array(event, { maxLength: 30 })

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
            .filter(({ registration }) => !registration.withSid)
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
