import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MOST_EARLY } from '../../plugins/back-channel-logout/delivery/delivery.ts'
import type {
  AttemptFailed,
  SessionLogoutEvent,
} from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { sessionLogoutStream } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { type Act, ANSWERS, type AnswerName, type Origin, POLICY, RPS, Turmoil } from '../support/turmoil.ts'

/** The same runs each time; other ones with another seed. */
const SEED = 20_260_101
const RUNS = 120

const rp = fc.constantFrom(...RPS)
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('owe' as const), rp, count: fc.integer({ min: 1, max: 5 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      rp,
      as: fc.constantFrom(...(Object.keys(ANSWERS) as AnswerName[])),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.oneof(fc.nat(2_000), fc.integer({ min: 1, max: 70_000 })),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('gate' as const), on: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('jump' as const), ms: fc.integer({ min: -90_000, max: 90_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('move' as const),
      rp,
      to: fc.constantFrom<Origin>('shared', 'own'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('start' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('kill' as const), nth: fc.nat(2), steps: fc.nat(16) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop' as const), nth: fc.nat(2) }) },
)

describe('dispatchers in turmoil: RPs that fail, processes that are killed, gates that shut, clocks that jump', () => {
  it('lose no delivery, send none that is settled or not due, and keep to the policy', async () => {
    const seen = new Map<string, number>()
    let early = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(act, { minLength: 20, maxLength: 60, size: 'max' }),
        fc.double({ min: 0, max: 0.999_999, noNaN: true }),
        async (acts, random) => {
          const turmoil = await Turmoil.begin(random)
          try {
            for (const next of acts) await turmoil.happen(next)
            await turmoil.calm()
            assert.deepEqual(turmoil.wrongs, [])
            for (const uid of turmoil.uids) {
              const end = await assertTold(turmoil, uid)
              seen.set(end, (seen.get(end) ?? 0) + 1)
            }
            early += turmoil.early
            assert.equal(await turmoil.scene.open(), 0)
            assert.deepEqual(turmoil.scene.log.of(/unforeseen/), [])
          } finally {
            await turmoil.end()
          }
        },
      ),
      { seed: SEED, numRuns: RUNS },
    )
    const ends = ['abandoned', 'rejected', 'sent', 'sent again']
    assert.deepEqual([...seen.keys()].sort(), ends, 'it was no turmoil')
    assert.ok(early > 0, 'no RP came back')
  })
})

/**
 * The log's whole story of a delivery is one that the policy allows, and agrees with what its RP answered.
 *
 * @returns how it ended
 */
async function assertTold(turmoil: Turmoil, uid: string): Promise<string> {
  const facts = await factsOf(turmoil, uid)
  const failures = await failuresOf(turmoil, uid)
  const [end, ...more] = facts.map(({ event }) => event).filter(({ type }) => /\.(sent|rejected|abandoned)$/.test(type))
  assert.ok(end && more.length === 0, `${uid} has ${end ? more.length + 1 : 0} ends`)
  assert.equal(facts.at(-1)?.event, end)
  assert.deepEqual(
    failures.map(({ attempt }) => attempt),
    failures.map((_, i) => i + 1),
  )
  const said = turmoil.said.get(uid) ?? []
  const { bad_requests: refusals = 0, early = 0 } = failures.at(-1) ?? {}
  assert.ok(failures.length - early <= POLICY.retryDelaysMs.length)
  assert.ok(early <= MOST_EARLY)
  switch (end.type) {
    case 'session_logout.back_channel.sent':
      assert.ok(said.includes(200), `${uid} is confirmed, and its RP was not told`)
      assert.equal(end.attempt, failures.length + 1)
      break
    case 'session_logout.back_channel.rejected':
      assert.ok(said.includes(end.status))
      assert.equal(end.attempt, failures.length + 1)
      assert.ok(end.status === 410 ? refusals <= 2 : refusals === 2, `${refusals} refusals before`)
      break
    case 'session_logout.back_channel.abandoned':
      assert.deepEqual([end.failure_reason, end.attempts, failures.length], ['budget_spent', 5 + early, 4 + early])
  }
  // A killed process may have sent what it could not record any more.
  assert.ok((turmoil.posts.get(uid) ?? 0) <= failures.length + 1 + turmoil.kills)
  let before = { early: 0, bad_requests: 0, next_attempt_at: 0 }
  for (const failure of failures) {
    const { attempt, status, at, next_attempt_at, early: earlyByNow = 0, bad_requests = 0 } = failure
    const least = status === 400 ? (POLICY.badRequestDelaysMs[before.bad_requests] ?? 0) : status === 503 ? 10_000 : 0
    const wanted = status === 429 ? POLICY.maxRetryAfterMs : least
    if (earlyByNow > before.early) {
      assert.equal(next_attempt_at, Math.max(before.next_attempt_at, at + wanted), 'it keeps its place in the schedule')
    } else {
      const delay = POLICY.retryDelaysMs[attempt - earlyByNow - 1] ?? 0
      const waitMs = next_attempt_at - at
      assert.ok(waitMs >= Math.max(wanted, delay * (1 - POLICY.jitter) - 1), `${waitMs} ms after HTTP ${status}`)
      assert.ok(waitMs <= Math.max(wanted, delay * (1 + POLICY.jitter) + 1), `${waitMs} ms after HTTP ${status}`)
    }
    before = { early: earlyByNow, bad_requests, next_attempt_at }
  }
  const sentAgain = end.type.endsWith('.sent') && said.filter((status) => status === 200).length > 1
  return sentAgain ? 'sent again' : end.type.slice(end.type.lastIndexOf('.') + 1)
}

async function failuresOf(turmoil: Turmoil, uid: string): Promise<(AttemptFailed & { readonly at: number })[]> {
  return (await factsOf(turmoil, uid)).flatMap(({ event, at }) =>
    event.type === 'session_logout.back_channel.attempt_failed' ? [{ ...event, at }] : [],
  )
}

async function factsOf(turmoil: Turmoil, uid: string): Promise<{ event: SessionLogoutEvent; at: number }[]> {
  const commits = await turmoil.scene.store.read(sessionLogoutStream(uid))
  return commits.flatMap((commit) =>
    commit.events.map(({ type, data }) => ({
      event: { type, ...data } as unknown as SessionLogoutEvent,
      at: turmoil.tableTime(commit),
    })),
  )
}
