import assert from 'node:assert/strict'
import {
  type Receipt,
  type ReceiptView,
  receiptOf,
  type Waiting,
} from '../../plugins/back-channel-logout/receipts/receipt.ts'
import type { SessionLogoutEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import {
  abandoned,
  FIRST_AT,
  fold,
  historyOf,
  registered,
  registeredWithoutUri,
  replayed,
  sent,
  terminated,
} from '../support/session-log.ts'

const TWO = [registered('one', '1'), registered('two', '2'), terminated()]
const ENDED_AT = FIRST_AT + 2_000

function receipt(view: ReceiptView, ...events: SessionLogoutEvent[]): Receipt {
  return receiptOf(fold('uid', historyOf('uid', events)), view)
}

describe('a time to logout', () => {
  it('does not count what nobody could be told in, RP by RP', () => {
    const asked: [number, number][] = []
    const waiting: Waiting = (from, to) => {
      asked.push([from, to])
      return to - from - 400
    }
    const [end] = receipt({ waiting }, ...TWO, sent('3/0.0'), sent('3/0.1')).ends
    assert.deepEqual(
      end?.relyingParties.map(({ timeToLogoutMs }) => timeToLogoutMs),
      [400, 400],
    )
    assert.equal(end?.timeToLogoutMs, 400)
    assert.deepEqual(asked, [
      [ENDED_AT, ENDED_AT + 1_000],
      [ENDED_AT, ENDED_AT + 2_000],
    ])
  })

  it('is never less than nothing', () => {
    const [end] = receipt({ waiting: () => 1e9 }, ...TWO, sent('3/0.0'), sent('3/0.1')).ends
    assert.equal(end?.timeToLogoutMs, 0)
  })

  it('goes on through dead letters: from the end to the confirmation after the last replay', () => {
    const [end] = receipt(
      {},
      registered('one', '1'),
      terminated(),
      abandoned('2/0.0'),
      replayed('2/0.0'),
      sent('2/0.0', { round: 1 }),
    ).ends
    assert.equal(end?.timeToLogoutMs, 3_000)
    assert.equal(end.relyingParties[0]?.replays, 1)
  })
})

describe('the receipt for one client', () => {
  it('has its ends and its entries, and is settled when it was told', () => {
    const history = [...TWO.slice(0, 2), registered('one', '3'), terminated(['3']), terminated(), sent('4/0.0')]
    const told = (client?: string): Receipt => receipt({ ...(client && { client }) }, ...history, sent('5/0.0'))
    assert.equal(told().settled, false)
    const one = told('one')
    assert.deepEqual(
      one.ends.map(({ relyingParties, timeToLogoutMs }) => [relyingParties.map(({ sid }) => sid), timeToLogoutMs]),
      [
        [['3'], 2_000],
        [['1'], 2_000],
      ],
    )
    assert.equal(one.settled, true)
    const two = told('two')
    assert.equal(two.ends.length, 1)
    assert.equal(two.ends[0]?.timeToLogoutMs, undefined)
    assert.equal(two.settled, false)
    assert.deepEqual(told('three'), { sessionUid: 'uid', ends: [], settled: true })
  })
})

describe('the receipt of an end whose RP had no known URI at the login', () => {
  const history = [registered('one', '1'), registeredWithoutUri('two', '2'), terminated(), sent('3/0.0')]

  it('is not settled before it is decided whether that RP is to be told', () => {
    assert.equal(receipt({ planned: 2 }, ...history).settled, false)
    assert.equal(receipt({ planned: 2, client: 'two' }, ...history).settled, false)
    assert.equal(receipt({ planned: 2, client: 'one' }, ...history).settled, true)
    assert.equal(receipt({ planned: 3 }, ...history).settled, true)
  })
})
