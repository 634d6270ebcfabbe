import assert from 'node:assert/strict'
import { OptionInvalidError } from '../../lib/index.ts'
import {
  DEFAULT_POLICY,
  type DeliveryPolicy,
  policyOf,
} from '../../plugins/back-channel-logout/delivery/delivery-policy.ts'

const MINUTE_MS = 60_000

describe('the policy of deliveries', () => {
  it('is eleven attempts over about 28 hours', () => {
    const { retryDelaysMs } = policyOf()
    assert.equal(retryDelaysMs.length + 1, 11)
    const hours = retryDelaysMs.reduce((sum, delay) => sum + delay, 0) / (60 * MINUTE_MS)
    assert.ok(hours > 27 && hours < 28.5, String(hours))
  })

  it('waits longer before each attempt than before the last', () => {
    const { retryDelaysMs } = DEFAULT_POLICY
    assert.deepEqual(
      retryDelaysMs,
      retryDelaysMs.toSorted((a, b) => a - b),
    )
  })

  it('takes each wish and leaves the rest', () => {
    const wish = { concurrency: 3, retryDelaysMs: [1, 2], jitter: 0 }
    assert.deepEqual(policyOf(wish), { ...DEFAULT_POLICY, ...wish })
    assert.deepEqual(policyOf({ retryDelaysMs: [] }).retryDelaysMs, [])
  })

  const MEANINGLESS: readonly (readonly [string, unknown])[] = [
    ['unknown', 1],
    ['toString', 1],
    ['constructor', 1],
    ['retryDelaysMs', 5],
    ['retryDelaysMs', [1, -1]],
    ['retryDelaysMs', [Number.NaN]],
    ['retryDelaysMs', [Number.POSITIVE_INFINITY]],
    ['retryDelaysMs', ['5']],
    ['retryDelaysMs', undefined],
    ['jitter', -0.1],
    ['jitter', 1],
    ['jitter', '0.1'],
    ['jitter', Number.NaN],
    ['timeoutMs', 0],
    ['timeoutMs', 1.5],
    ['timeoutMs', '10'],
    ['timeoutMs', 2 ** 31],
    ['concurrency', 0],
    ['concurrency', Number.POSITIVE_INFINITY],
    ['concurrencyPerClient', -1],
    ['concurrencyPerClient', undefined],
  ]
  for (const [option, value] of MEANINGLESS) {
    it(`refuses ${option}: ${JSON.stringify(value) ?? 'undefined'}, by name`, () => {
      assert.throws(
        () => policyOf({ [option]: value } as Partial<DeliveryPolicy>),
        (error) => error instanceof OptionInvalidError && error.option === `delivery.${option}`,
      )
    })
  }
})
