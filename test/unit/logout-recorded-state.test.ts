import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { EventStore } from '../../lib/index.ts'
import type { Delivery } from '../../plugins/back-channel-logout/delivery/delivery.ts'
import { type RecordedState, recordedState } from '../../plugins/back-channel-logout/delivery/recorded-state.ts'
import { type SessionLogoutEvent, toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { countReads } from '../support/reads.ts'
import {
  abandoned,
  attemptFailed,
  registered,
  rejected,
  replayed,
  sent,
  superseded,
  terminated,
} from '../support/session-log.ts'

const ID = '2/0.0'

const DELIVERY: Delivery = {
  sessionUid: 'uid',
  clientId: 'rp',
  sid: 'sid',
  sealedSubject: 'sealed',
  includeSid: true,
  reason: 'rp_initiated',
  endedAt: 1,
  attempts: 0,
  badRequests: 0,
}

describe('what the log knows of a delivery that somebody had in hand before', () => {
  let store: EventStore

  beforeEach(async () => {
    store = new MemoryEventStore()
    await record(registered('rp', 'sid'), terminated())
  })

  afterEach(() => store.close())

  async function record(...events: SessionLogoutEvent[]): Promise<void> {
    for (const event of events) await store.append({ events: [toEvent('uid', event)] })
  }

  /** Of the delivery as it lies in the work table, claimed with this fence. */
  function known(delivery: Partial<Delivery> = {}, fence = 5, id = ID): Promise<RecordedState> {
    return recordedState(store, { id, fence, lane: 'rp', dueAt: 0, body: {} }, { ...DELIVERY, ...delivery })
  }

  it('is not looked for where it was given back, and claimed next', async () => {
    await record(sent(ID))
    assert.deepEqual(await known({}, 1), { kind: 'nothing' })
    assert.deepEqual(await known({ fence: 4 }, 5), { kind: 'nothing' })
    assert.deepEqual(await known({ fence: 3 }, 5), { kind: 'settled' })
  })

  it('is nothing where nothing was recorded, or only of others', async () => {
    assert.deepEqual(await known(), { kind: 'nothing' })
    await record(sent('2/0.1'), attemptFailed('9/0.0'))
    assert.deepEqual(await known(), { kind: 'nothing' })
  })

  for (const event of [sent(ID), rejected(ID), abandoned(ID), superseded(ID)]) {
    it(`is that it is settled, by ${event.type}`, async () => {
      await record(attemptFailed(ID), event, attemptFailed('2/0.1'))
      assert.deepEqual(await known({ attempts: 1 }), { kind: 'settled' })
    })
  }

  it('is nothing where only that it is owed was recorded', async () => {
    await record({ type: 'session_logout.back_channel.owed', delivery: ID, client_id: 'rp' })
    assert.deepEqual(await known(), { kind: 'nothing' })
  })

  it('is what became of it, though another process that plans recorded later that it is owed', async () => {
    const owed: SessionLogoutEvent = { type: 'session_logout.back_channel.owed', delivery: ID, client_id: 'rp' }
    await record(owed, attemptFailed(ID), owed)
    assert.equal((await known()).kind, 'failed')
    await record(sent(ID), owed)
    assert.deepEqual(await known(), { kind: 'settled' })
  })

  it('is the last attempt that failed, where the work does not know of it', async () => {
    const failed = {
      ...attemptFailed(ID, 3),
      error: 'odd',
      answer: 'no',
      bad_requests: 2,
      early: 1,
      next_attempt_at: 77,
    }
    await record(attemptFailed(ID, 2), failed as SessionLogoutEvent)
    assert.deepEqual(await known({ attempts: 2 }), {
      kind: 'failed',
      dueAt: 77,
      delivery: {
        ...DELIVERY,
        attempts: 3,
        badRequests: 2,
        early: 1,
        scheduledFor: 77,
        failure: { status: 503, error: 'odd', answer: 'no' },
      },
    })
    assert.deepEqual(await known({ attempts: 3 }), { kind: 'nothing' })
  })

  it('is that of its own round: what came before is nothing, what came after has settled it', async () => {
    await record(abandoned(ID), replayed(ID))
    assert.deepEqual(await known({ attempts: 0 }), { kind: 'settled' }, 'the first round')
    assert.deepEqual(await known({ round: 1 }, 5, `${ID}~1`), { kind: 'nothing' })
    await record(attemptFailed(ID, 1, { round: 1 }))
    assert.equal((await known({ round: 1 }, 5, `${ID}~1`)).kind, 'failed')
    assert.deepEqual(await known({ round: 2 }, 5, `${ID}~2`), { kind: 'nothing' })
    await record(sent(ID, { round: 1 }))
    assert.deepEqual(await known({ round: 1 }, 5, `${ID}~1`), { kind: 'settled' })
  })

  it('is found behind what happened to others since, and not looked for before the end that it is owed for', async () => {
    await record(sent(ID))
    for (let n = 0; n < 250; n++) await record(attemptFailed('2/0.1', n + 1))
    assert.deepEqual(await known(), { kind: 'settled' })
    const pages = countReads(store)
    const end = await store.end()
    assert.deepEqual(await known({}, 5, `${end - 10}/0.0`), { kind: 'nothing' })
    assert.deepEqual(
      pages.map(({ length }) => length),
      [100],
    )
  })
})
