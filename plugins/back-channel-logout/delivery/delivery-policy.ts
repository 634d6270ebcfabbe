/** When an RP that fails again and again is left alone. */
export interface CircuitOptions {
  /** After so many failures in a row its circuit opens. Default: 5. */
  readonly failures?: number
  /** How long it stays open before one request probes the RP, in milliseconds. Default: 30 s. */
  readonly minOpenMs?: number
  /** That doubles with each probe that fails, up to so many milliseconds. Default: 5 min. */
  readonly maxOpenMs?: number
}

/** An answer that confirms a logout: a status, or one whose body, its first 4 KiB, contains a text. */
export type ConfirmingAnswer = number | { readonly status: number; readonly body: string }

/** How the deliveries to one RP are tried. */
export interface ClientDeliveryOptions {
  /**
   * How long after it was planned, within seconds of the end as a rule, a delivery may still be sent, in milliseconds;
   * whatever the RP, the circuit, `Retry-After`, a pause or the feature gate does meanwhile. Then it is a dead letter, with
   * the reason `expired`. A replay begins anew. Default: 48 h.
   */
  readonly maxAgeMs?: number
  /** How long a logout token is good for, in seconds (`exp` less `iat`). Default: 120, as section 2.4 recommends. */
  readonly tokenLifetimeSeconds?: number
  /**
   * Which answers mean that the logout is done, instead of the default: 200, 202 and 204. For RPs that say it otherwise:
   * some answer 400 for a session that is gone already.
   */
  readonly confirmedBy?: readonly ConfirmingAnswer[]
  /**
   * Waits before the second attempt, the third and so on, in milliseconds. After the last one it is a dead letter.
   * Default: 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, 4 h, 8 h, 12 h.
   */
  readonly retryDelaysMs?: readonly number[]
  /** By how much a wait may be shorter or longer, as a share of it; so that retries do not come in waves. Default: 0.2. */
  readonly jitter?: number
  /** How long an attempt may take, token and connection included, in milliseconds. Default: 10 s. */
  readonly timeoutMs?: number
  /**
   * At most so many requests are in flight to one RP, in this process. It begins with 4, has one more with each answer
   * and half as many after a failure. Default: 16.
   */
  readonly concurrencyPerClient?: number
  /**
   * Waits after the first 400, the second and so on, at least, in milliseconds: an RP needs time to fetch new keys, or to
   * be mended. The 400 after the last one is final. Default: 1, 10 and 30 min, 1, 2 and 4 h: seven attempts in 7.7 h.
   */
  readonly badRequestDelaysMs?: readonly number[]
  /**
   * `Retry-After` (RFC 9110 section 10.2.3) is honoured up to so many milliseconds; 0: not at all. It holds the RP: nothing
   * is sent to it meanwhile by this process. Default: 1 h.
   */
  readonly maxRetryAfterMs?: number
  /**
   * Whether logout tokens name the session by `sid` alone, where they have one (Back-Channel Logout 1.0 section 2.4 wants
   * `sub`, `sid` or both). For RPs that end all of the user's sessions as soon as they read a `sub`. Some RPs cannot do
   * without a `sub`: they fail, or end nothing. Default: false.
   */
  readonly sidOnly?: boolean
  /** When it is left alone. */
  readonly circuit?: CircuitOptions
}

/** How deliveries are tried. */
export interface DeliveryOptions extends ClientDeliveryOptions {
  /** At most so many requests are in flight, in this process. Default: 256. */
  readonly concurrency?: number
  /**
   * At most so many requests are in flight to one origin, in this process: it is all that clients behind one host share.
   * Default: 64.
   */
  readonly concurrencyPerOrigin?: number
  /** What is different for single clients, by client id. */
  readonly clients?: Readonly<Record<string, ClientDeliveryOptions>>
}

export type CircuitPolicy = Required<CircuitOptions>

/** How the deliveries to one RP are tried, complete. */
export interface ClientPolicy extends Required<ClientDeliveryOptions> {
  readonly circuit: CircuitPolicy
}

/** How deliveries are tried, complete. */
export interface DeliveryPolicy extends ClientPolicy {
  readonly concurrency: number
  readonly concurrencyPerOrigin: number
  /** Of clients for which anything is different. */
  readonly clients: ReadonlyMap<string, ClientPolicy>
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
  concurrencyPerOrigin: 64,
  concurrencyPerClient: 16,
  maxAgeMs: 48 * HOUR,
  tokenLifetimeSeconds: 120,
  confirmedBy: [200, 202, 204],
  badRequestDelaysMs: [MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR],
  maxRetryAfterMs: HOUR,
  sidOnly: false,
  circuit: { failures: 5, minOpenMs: 30 * SECOND, maxOpenMs: 5 * MINUTE },
  clients: new Map(),
}

/** How the deliveries to this client are tried. */
export function policyFor(policy: DeliveryPolicy, clientId: string): ClientPolicy {
  return policy.clients.get(clientId) ?? policy
}

/** The longest that an attempt may take, to whichever client, in milliseconds. */
export function longestTimeoutMs({ timeoutMs, clients }: DeliveryPolicy): number {
  return Math.max(timeoutMs, ...[...clients.values()].map((own) => own.timeoutMs))
}

/** For how long a delivery may be owed at most, to whichever client, in milliseconds. */
export function longestAgeMs({ maxAgeMs, clients }: DeliveryPolicy): number {
  return Math.max(maxAgeMs, ...[...clients.values()].map((own) => own.maxAgeMs))
}
