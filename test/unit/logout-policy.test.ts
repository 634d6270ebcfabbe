import assert from 'node:assert/strict'
import { OptionInvalidError } from '../../lib/index.ts'
import {
  DEFAULT_POLICY,
  type DeliveryOptions,
  longestTimeoutMs,
  policyFor,
} from '../../plugins/back-channel-logout/delivery/delivery-policy.ts'
import { policyOf } from '../../plugins/back-channel-logout/delivery/policy-options.ts'

const MINUTE_MS = 60_000

/** Options of one RP that make no sense, and which of them the error is about. */
const MEANINGLESS: readonly (readonly [string, unknown, string?])[] = [
  ['unknown', 1],
  ['toString', 1],
  ['constructor', 1],
  ['retryDelaysMs', 5],
  ['retryDelaysMs', [1, -1]],
  ['retryDelaysMs', [Number.NaN]],
  ['retryDelaysMs', [Number.POSITIVE_INFINITY]],
  ['retryDelaysMs', ['5']],
  ['retryDelaysMs', [1e300]],
  ['retryDelaysMs', [365 * 86_400_000 + 1]],
  ['badRequestDelaysMs', [1e300]],
  ['maxRetryAfterMs', 1e300],
  ['maxAgeMs', 365 * 86_400_000 + 1],
  ['circuit', { maxOpenMs: Number.MAX_SAFE_INTEGER }, 'circuit.maxOpenMs'],
  ['circuit', new Map([['failures', 2]])],
  ['retryDelaysMs', undefined],
  ['jitter', -0.1],
  ['jitter', 1],
  ['jitter', '0.1'],
  ['jitter', Number.NaN],
  ['timeoutMs', 0],
  ['timeoutMs', 1.5],
  ['timeoutMs', '10'],
  ['timeoutMs', 2 ** 31],
  ['concurrencyPerClient', -1],
  ['concurrencyPerClient', undefined],
  ['badRequestDelaysMs', 60_000],
  ['badRequestDelaysMs', [-1]],
  ['badRequestDelaysMs', [Number.NaN]],
  ['maxRetryAfterMs', -1],
  ['maxRetryAfterMs', Number.POSITIVE_INFINITY],
  ['maxRetryAfterMs', '3600'],
  ['maxAgeMs', 0],
  ['maxAgeMs', 1.5],
  ['maxAgeMs', Number.POSITIVE_INFINITY],
  ['maxAgeMs', undefined],
  ['tokenLifetimeSeconds', 0],
  ['tokenLifetimeSeconds', 0.5],
  ['tokenLifetimeSeconds', 86_401],
  ['tokenLifetimeSeconds', '120'],
  ['confirmedBy', []],
  ['confirmedBy', 200],
  ['confirmedBy', ['200']],
  ['confirmedBy', [199]],
  ['confirmedBy', [500]],
  ['confirmedBy', [200.5]],
  ['confirmedBy', [null]],
  ['confirmedBy', [{ status: 400 }]],
  ['confirmedBy', [{ status: 400, body: '' }]],
  ['confirmedBy', [{ status: 400, body: 7 }]],
  ['confirmedBy', [{ status: 500, body: 'gone' }]],
  ['confirmedBy', [{ status: 400, body: 'gone', header: 'x' }]],
  ['sidOnly', 'yes'],
  ['sidOnly', undefined],
  ['circuit', null],
  ['circuit', [5]],
  ['circuit', { failure: 5 }, 'circuit.failure'],
  ['circuit', { failures: 0 }, 'circuit.failures'],
  ['circuit', { failures: 1.5 }, 'circuit.failures'],
  ['circuit', { minOpenMs: 0 }, 'circuit.minOpenMs'],
  ['circuit', { maxOpenMs: '1' }, 'circuit.maxOpenMs'],
  ['circuit', { minOpenMs: 2_000, maxOpenMs: 1_000 }, 'circuit.maxOpenMs'],
]

function refused(wishes: unknown, option: string): void {
  assert.throws(
    () => policyOf(wishes as DeliveryOptions),
    (error) => error instanceof OptionInvalidError && error.option === option,
  )
}

describe('the policy of deliveries', () => {
  it('is eleven attempts over about 28 hours', () => {
    const { retryDelaysMs } = policyOf()
    assert.equal(retryDelaysMs.length + 1, 11)
    const hours = retryDelaysMs.reduce((sum, delay) => sum + delay, 0) / (60 * MINUTE_MS)
    assert.ok(hours > 27 && hours < 28.5, String(hours))
  })

  it('takes waits of up to a year', () => {
    const year = 365 * 86_400_000
    const wish = { retryDelaysMs: [year], badRequestDelaysMs: [0, year], maxRetryAfterMs: year, maxAgeMs: year }
    assert.deepEqual(policyOf(wish), { ...DEFAULT_POLICY, ...wish })
  })

  it('takes answers that confirm, with a text in them or without', () => {
    const confirmedBy = [200, 499, { status: 400, body: 'gone' }]
    assert.deepEqual(policyOf({ confirmedBy }).confirmedBy, confirmedBy)
    assert.equal(policyOf({ tokenLifetimeSeconds: 86_400 }).tokenLifetimeSeconds, 86_400)
  })

  it('gives up after two days, and asks an RP that answers 400 over six hours', () => {
    assert.equal(DEFAULT_POLICY.maxAgeMs, 48 * 60 * MINUTE_MS)
    const { badRequestDelaysMs } = DEFAULT_POLICY
    assert.ok(badRequestDelaysMs.length + 1 >= 6)
    assert.ok(badRequestDelaysMs.reduce((sum, delay) => sum + delay, 0) >= 6 * 60 * MINUTE_MS)
  })

  it('waits longer before each attempt than before the last', () => {
    const { retryDelaysMs } = DEFAULT_POLICY
    assert.deepEqual(
      retryDelaysMs,
      retryDelaysMs.toSorted((a, b) => a - b),
    )
  })

  it('takes each wish and leaves the rest', () => {
    const wish = { concurrency: 3, retryDelaysMs: [1, 2], jitter: 0, badRequestDelaysMs: [], maxRetryAfterMs: 0 }
    assert.deepEqual(policyOf(wish), { ...DEFAULT_POLICY, ...wish })
    assert.deepEqual(policyOf({ retryDelaysMs: [] }).retryDelaysMs, [])
    assert.deepEqual(policyOf({ circuit: { failures: 9 } }).circuit, { ...DEFAULT_POLICY.circuit, failures: 9 })
  })

  for (const [option, value, about = option] of MEANINGLESS) {
    it(`refuses ${option}: ${JSON.stringify(value) ?? 'undefined'}, by name`, () => {
      refused({ [option]: value }, `delivery.${about}`)
    })
  }

  for (const [option, value] of [
    ['concurrency', 0],
    ['concurrency', Number.POSITIVE_INFINITY],
    ['concurrencyPerOrigin', 0],
    ['concurrencyPerOrigin', 1.5],
    ['concurrencyPerOrigin', '64'],
    ['clients', null],
    ['clients', ['rp']],
    ['clients', 'rp'],
    ['clients', new Map([['rp', { jitter: 0 }]])],
  ] as const) {
    it(`refuses ${option}: ${JSON.stringify(value)}, by name`, () => {
      refused({ [option]: value }, `delivery.${option}`)
    })
  }

  it('must be an object', () => {
    for (const wrong of [null, 5, [], new Map()]) refused(wrong, 'delivery')
  })
})

describe('the policy of deliveries to one client', () => {
  it('is that of all, but for what is said of it', () => {
    const own = { timeoutMs: 30_000, circuit: { failures: 2 } }
    const policy = policyOf({ jitter: 0.1, circuit: { minOpenMs: 7 }, clients: { slow: own, rp: {} } })
    const { clients: _, concurrency: __, concurrencyPerOrigin: ___, ...all } = policy
    assert.deepEqual(policyFor(policy, 'slow'), {
      ...all,
      timeoutMs: 30_000,
      circuit: { ...DEFAULT_POLICY.circuit, minOpenMs: 7, failures: 2 },
    })
    assert.deepEqual(policyFor(policy, 'rp'), all)
    assert.equal(policyFor(policy, 'other'), policy)
  })

  it('is not found for what every object has', () => {
    const policy = policyOf({ clients: {} })
    for (const clientId of ['toString', 'constructor', '__proto__']) assert.equal(policyFor(policy, clientId), policy)
  })

  it('may be that of a client with any id', () => {
    const clients = JSON.parse('{ "__proto__": { "jitter": 0 }, "https://rp.example.com/": { "jitter": 0 } }')
    const policy = policyOf({ clients })
    for (const clientId of ['__proto__', 'https://rp.example.com/']) assert.equal(policyFor(policy, clientId).jitter, 0)
  })

  it('may have the longest time-out of all', () => {
    assert.equal(longestTimeoutMs(policyOf()), 10_000)
    assert.equal(
      longestTimeoutMs(policyOf({ clients: { slow: { timeoutMs: 60_000 }, fast: { timeoutMs: 1 } } })),
      60_000,
    )
  })

  for (const [option, value, about = option] of MEANINGLESS) {
    it(`refuses ${option}: ${JSON.stringify(value) ?? 'undefined'}, by name`, () => {
      refused({ clients: { rp: { [option]: value } } }, `delivery.clients[rp].${about}`)
    })
  }

  it('must be an object, without what is for all clients together', () => {
    for (const wrong of [null, 5, undefined, []]) refused({ clients: { rp: wrong } }, 'delivery.clients[rp]')
    refused({ clients: { rp: { concurrency: 1 } } }, 'delivery.clients[rp].concurrency')
    refused({ clients: { rp: { concurrencyPerOrigin: 1 } } }, 'delivery.clients[rp].concurrencyPerOrigin')
    refused({ clients: { rp: { clients: {} } } }, 'delivery.clients[rp].clients')
  })
})
