import { OptionInvalidError } from '../../../lib/index.ts'

/** How a delivery is tried. */
export interface DeliveryPolicy {
  /** Waits before the second attempt, the third and so on, in milliseconds. After the last one it is a dead letter. */
  readonly retryDelaysMs: readonly number[]
  /** By how much a wait may be shorter or longer, as a share of it; so that retries do not come in waves. */
  readonly jitter: number
  /** How long an attempt may take, token and connection included, in milliseconds. */
  readonly timeoutMs: number
  /** At most so many requests are in flight, in this process. */
  readonly concurrency: number
  /** At most so many to one RP. */
  readonly concurrencyPerClient: number
}

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** Eleven attempts over about 28 hours. */
export const DEFAULT_POLICY: DeliveryPolicy = {
  retryDelaysMs: [
    5 * SECOND,
    30 * SECOND,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    8 * HOUR,
    12 * HOUR,
  ],
  jitter: 0.2,
  timeoutMs: 10 * SECOND,
  concurrency: 256,
  concurrencyPerClient: 16,
}

/** Waits after the first and the second 400, at least: an RP needs time to fetch new keys, or to be mended. */
export const BAD_REQUEST_DELAYS_MS: readonly number[] = [MINUTE, 10 * MINUTE]

/** Node's timers take a longer wait for none at all. */
const TIMEOUT_MOST_MS = 2 ** 31 - 1

/**
 * The policy with the caller's wishes.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function policyOf(wishes: Partial<DeliveryPolicy> = {}): DeliveryPolicy {
  for (const option of Object.keys(wishes)) {
    if (!Object.hasOwn(DEFAULT_POLICY, option)) {
      throw new OptionInvalidError(
        `delivery.${option}`,
        `is not known; known are ${Object.keys(DEFAULT_POLICY).join(', ')}`,
      )
    }
  }
  const policy = { ...DEFAULT_POLICY, ...wishes }
  const { retryDelaysMs, jitter } = policy
  if (!Array.isArray(retryDelaysMs) || !retryDelaysMs.every((delay) => Number.isFinite(delay) && delay >= 0)) {
    throw new OptionInvalidError('delivery.retryDelaysMs', 'must be an array of milliseconds, 0 or more each')
  }
  if (!(typeof jitter === 'number' && jitter >= 0 && jitter < 1))
    throw new OptionInvalidError('delivery.jitter', 'must be a share from 0 up to, not including, 1')
  for (const option of ['timeoutMs', 'concurrency', 'concurrencyPerClient'] as const) {
    if (!Number.isSafeInteger(policy[option]) || policy[option] < 1) {
      throw new OptionInvalidError(`delivery.${option}`, 'must be a whole number from 1')
    }
  }
  if (policy.timeoutMs > TIMEOUT_MOST_MS)
    throw new OptionInvalidError('delivery.timeoutMs', `must be ${TIMEOUT_MOST_MS} at most`)
  return policy
}
