import assert from 'node:assert/strict'
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
  terminated,
} from '../support/session-log.ts'

const ID = '2/0.0'

function stateAfter(...events: SessionLogoutEvent[]): unknown {
  return fold('uid', historyOf('uid', [registered('rp', 'sid'), terminated(), ...events])).deliveries.get(ID)
}

describe('a dead letter that is replayed, as the log tells it', () => {
  it('is pending again, in a round of its own, as if it had never been tried', () => {
    for (const dead of [rejected(ID), abandoned(ID)]) {
      assert.deepEqual(stateAfter(attemptFailed(ID), dead, replayed(ID)), { kind: 'pending', attempts: 0, round: 1 })
    }
  })

  it('can be confirmed then, and die again, and be replayed again', () => {
    const once = [abandoned(ID), replayed(ID)]
    assert.deepEqual(stateAfter(...once, sent(ID, { round: 1 })), {
      kind: 'confirmed',
      at: FIRST_AT + 4_000,
      attempt: 1,
      status: 200,
      tookMs: 12,
      round: 1,
    })
    const twice = [...once, rejected(ID, { round: 1 }), replayed(ID, 2)]
    assert.deepEqual(stateAfter(...twice), { kind: 'pending', attempts: 0, round: 2 })
  })

  it('hears nothing of what comes late from the round before', () => {
    const again = [abandoned(ID), replayed(ID)]
    for (const late of [sent(ID), rejected(ID), abandoned(ID), attemptFailed(ID, 11)]) {
      assert.deepEqual(stateAfter(...again, late), stateAfter(...again))
    }
  })
})

describe('a replay of what is no dead letter', () => {
  it('changes nothing: pending, confirmed, of another round, or unknown', () => {
    assert.deepEqual(stateAfter(replayed(ID)), stateAfter())
    assert.deepEqual(stateAfter(sent(ID), replayed(ID)), stateAfter(sent(ID)))
    assert.deepEqual(stateAfter(abandoned(ID), replayed(ID, 2)), stateAfter(abandoned(ID)))
    assert.deepEqual(stateAfter(abandoned(ID), replayed(ID), replayed(ID)), stateAfter(abandoned(ID), replayed(ID)))
    const unknown = fold('uid', historyOf('uid', [replayed('9/0.0')]))
    assert.equal(unknown.deliveries.size, 0)
  })
})
