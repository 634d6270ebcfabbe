import { OptionInvalidError } from '../../../lib/index.ts'
import { assertKnownOptions } from '../../../lib/known-options.ts'
import {
  type ClientDeliveryOptions,
  type ClientPolicy,
  DEFAULT_POLICY,
  type DeliveryOptions,
  type DeliveryPolicy,
} from './delivery-policy.ts'

/** A year: what is put off for longer has no date that anybody could read. */
const WAIT_MOST_MS = 365 * 24 * 3_600_000

/** A token that is good for longer says nothing about what has just happened. */
const TOKEN_MOST_SECONDS = 24 * 3_600

/** Node's timers take a longer wait for none at all. */
const TIMER_MOST_MS = 2 ** 31 - 1

/**
 * The policy with the caller's wishes.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function policyOf(options: DeliveryOptions = {}): DeliveryPolicy {
  assertKnown(options, Object.keys(DEFAULT_POLICY), 'delivery')
  const { concurrency: most, concurrencyPerOrigin: mostPerOrigin, clients: none, ...defaults } = DEFAULT_POLICY
  const { concurrency = most, concurrencyPerOrigin = mostPerOrigin, clients = {}, ...ofAll } = options
  assertWhole(concurrency, 'delivery.concurrency')
  assertWhole(concurrencyPerOrigin, 'delivery.concurrencyPerOrigin')
  if (!isPlainObject(clients))
    throw new OptionInvalidError('delivery.clients', 'must be an object: options by client id')
  const all = clientPolicyOf(ofAll, defaults, 'delivery')
  const single = new Map(none)
  for (const [clientId, own] of Object.entries(clients))
    single.set(clientId, clientPolicyOf(own, all, `delivery.clients[${clientId}]`))
  return { ...all, concurrency, concurrencyPerOrigin, clients: single }
}

function clientPolicyOf(options: ClientDeliveryOptions, defaults: ClientPolicy, where: string): ClientPolicy {
  assertKnown(options, Object.keys(defaults), where)
  if (options.circuit !== undefined) assertKnown(options.circuit, Object.keys(defaults.circuit), `${where}.circuit`)
  const policy = { ...defaults, ...options, circuit: { ...defaults.circuit, ...options.circuit } }
  assertPolicy(policy, where)
  return policy
}

/**
 * @param where - the option that the policy comes from, for the error
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
function assertPolicy(policy: ClientPolicy, where: string): void {
  for (const option of ['retryDelaysMs', 'badRequestDelaysMs'] as const) {
    const delays = policy[option]
    if (!Array.isArray(delays) || !delays.every(isWait))
      throw new OptionInvalidError(
        `${where}.${option}`,
        `must be an array of milliseconds, from 0 to ${WAIT_MOST_MS} each`,
      )
  }
  const { jitter, timeoutMs, concurrencyPerClient, maxRetryAfterMs, circuit } = policy
  assertConfirming(policy.confirmedBy, `${where}.confirmedBy`)
  assertWhole(policy.maxAgeMs, `${where}.maxAgeMs`, 1, WAIT_MOST_MS)
  assertWhole(policy.tokenLifetimeSeconds, `${where}.tokenLifetimeSeconds`, 1, TOKEN_MOST_SECONDS)
  if (!(typeof jitter === 'number' && jitter >= 0 && jitter < 1))
    throw new OptionInvalidError(`${where}.jitter`, 'must be a share from 0 up to, not including, 1')
  if (!isWait(maxRetryAfterMs))
    throw new OptionInvalidError(`${where}.maxRetryAfterMs`, `must be milliseconds, from 0 to ${WAIT_MOST_MS}`)
  if (typeof policy.sidOnly !== 'boolean') throw new OptionInvalidError(`${where}.sidOnly`, 'must be true or false')
  assertWhole(timeoutMs, `${where}.timeoutMs`, 1, TIMER_MOST_MS)
  assertWhole(concurrencyPerClient, `${where}.concurrencyPerClient`)
  assertWhole(circuit.failures, `${where}.circuit.failures`)
  assertWhole(circuit.minOpenMs, `${where}.circuit.minOpenMs`)
  assertWhole(circuit.maxOpenMs, `${where}.circuit.maxOpenMs`, circuit.minOpenMs, WAIT_MOST_MS)
}

function isWait(ms: unknown): boolean {
  return typeof ms === 'number' && ms >= 0 && ms <= WAIT_MOST_MS
}

/** A `Map` has no keys that `Object.keys()` would find: what is in it would be passed over. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function assertConfirming(answers: unknown, option: string): void {
  if (!Array.isArray(answers) || answers.length === 0 || !answers.every(isConfirming))
    throw new OptionInvalidError(
      option,
      'must be an array, not empty, of statuses from 200 to 499 and of { status, body } with a text that the body contains',
    )
}

function isConfirming(answer: unknown): boolean {
  if (typeof answer === 'number') return isStatus(answer)
  if (typeof answer !== 'object' || answer === null || Object.keys(answer).length !== 2) return false
  const { status, body } = answer as { readonly status?: unknown; readonly body?: unknown }
  return isStatus(status) && typeof body === 'string' && body !== ''
}

/** Of a server that fails nobody can say that it has done what it was asked for. */
function isStatus(status: unknown): boolean {
  return Number.isSafeInteger(status) && Number(status) >= 200 && Number(status) <= 499
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
function assertKnown(options: unknown, known: readonly string[], where: string): asserts options is object {
  if (!isPlainObject(options)) throw new OptionInvalidError(where, 'must be an object')
  assertKnownOptions(options, known, where)
}

function assertWhole(value: number, option: string, least: number = 1, most: number = Number.MAX_SAFE_INTEGER): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw new OptionInvalidError(option, `must be a whole number from ${least}`)
  if (value > most) throw new OptionInvalidError(option, `must be ${most} at most`)
}
