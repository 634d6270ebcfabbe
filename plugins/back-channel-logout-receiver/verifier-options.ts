import { systemClock } from '../../lib/clock.ts'
import type { ClaimRules } from './claim-rules.ts'
import { type IssuerKeys, issuerKeys } from './issuer-keys.ts'
import {
  nonEmptyString,
  nonEmptyStrings,
  nonNegativeNumber,
  positiveNumber,
  ReceiverOptionError,
  requireFunction,
  requireKnownOptions,
} from './option-error.ts'
import type { LogoutTokenReplayStore } from './replay-store.ts'
import { type DecryptionKey, type DecryptionRules, decryptionKeys } from './token-encryption.ts'
import type { SignatureRules } from './token-signature.ts'

/** How one RP validates the logout tokens of one OP. */
export interface LogoutTokenOptions {
  /** The OP's issuer, exactly as in its discovery document and its ID tokens. */
  issuer: string
  /** The RP's client id, or a list of them: `aud` must contain one. */
  audience: string | readonly string[]
  /**
   * The OP's public keys. Required for every algorithm except `HS…`. Keys of a URL are fetched at most every 30 seconds.
   * While they cannot be fetched, the known ones are used for a day.
   */
  jwks?: IssuerKeys
  /** Required for `HS…` signatures, and for `decryptionKey: 'client_secret'`. */
  clientSecret?: string
  /**
   * The allowed signing algorithms: the client's `id_token_signed_response_alg`, and no other. Default `RS256` alone,
   * which is that parameter's own default (Back-Channel Logout 1.0 section 2.6 step 3, Dynamic Client Registration 1.0
   * section 2). Never `none`.
   */
  algorithms?: readonly string[]
  /** For a client with `id_token_encrypted_response_alg`. With it, tokens that are not encrypted are refused. */
  decryptionKey?: DecryptionKey
  /** Allowed JWE `alg` values. Default: those that fit the key, PBES2 excluded. */
  keyManagementAlgorithms?: readonly string[]
  /** Allowed JWE `enc` values. Default: those that fit the key. */
  contentEncryptionAlgorithms?: readonly string[]
  /**
   * Whether only `typ: logout+jwt` is accepted. Default false: a token without `typ`, or with `typ: JWT`, is accepted too
   * (Back-Channel Logout 1.0 sections 2.4 and 4.1).
   */
  requireType?: boolean
  /**
   * Whether a token must have `exp`. Default true (Back-Channel Logout 1.0 with errata 1, section 2.4). False for OPs that
   * do not set it, such as Keycloak before 23.0.4 or Ory Hydra 2: such a token is accepted for `maxAgeSeconds` after its
   * `iat`. An `exp` that is present is always checked.
   */
  requireExpiry?: boolean
  /** How far the clocks of OP and RP may differ. Default 30. */
  clockToleranceSeconds?: number
  /** How old a token (`iat`) may be, beyond the tolerance, even if its `exp` would allow more. Default 300. */
  maxAgeSeconds?: number
  /** With it each token is accepted once (section 2.6 step 8). */
  replayStore?: LogoutTokenReplayStore
  /**
   * The time limit for everything from reading the request to the end of `onLogout`, in milliseconds. Default 30,000. When
   * it is exceeded, the result is `timed_out`. An `onLogout` that is running is not stopped, and may still succeed.
   */
  timeoutMs?: number
  /** The clock: milliseconds since the epoch. Default: the machine's. It is not used for the age of fetched keys. */
  now?: () => number
}

/** The validated options. */
export interface VerifierRules {
  readonly signature: SignatureRules
  readonly decryption?: DecryptionRules
  readonly claims: ClaimRules
  readonly replayStore?: LogoutTokenReplayStore
  readonly nowSeconds: () => number
  readonly timeoutMs: number
}

/** Back-Channel Logout 1.0 section 2.6 step 3: the default of `id_token_signed_response_alg`. */
const DEFAULT_ALGORITHMS: readonly string[] = ['RS256']
const symmetric = ['HS256', 'HS384', 'HS512']
const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const onRequest = ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87']

export const logoutTokenOptionNames: readonly string[] = [
  'issuer',
  'audience',
  'jwks',
  'clientSecret',
  'algorithms',
  'decryptionKey',
  'keyManagementAlgorithms',
  'contentEncryptionAlgorithms',
  'requireType',
  'requireExpiry',
  'clockToleranceSeconds',
  'maxAgeSeconds',
  'replayStore',
  'timeoutMs',
  'now',
] satisfies (keyof LogoutTokenOptions)[]

/** @throws {ReceiverOptionError} `OPTION_INVALID`, which names the option; before any I/O */
export function verifierRules(options: LogoutTokenOptions): VerifierRules {
  requireKnownOptions(options, logoutTokenOptionNames)
  const { replayStore, now = systemClock.now, requireType = false, requireExpiry = true } = options
  for (const [name, value] of Object.entries({ requireType, requireExpiry })) {
    if (typeof value !== 'boolean') throw new ReceiverOptionError(name, 'must be true or false')
  }
  if (replayStore !== undefined && typeof replayStore?.reserve !== 'function') {
    throw new ReceiverOptionError('replayStore', 'must have a reserve method')
  }
  requireFunction('now', now)
  const decryption = decryptionRules(options)
  return {
    claims: {
      issuer: nonEmptyString('issuer', options.issuer),
      audience:
        typeof options.audience === 'string'
          ? [nonEmptyString('audience', options.audience)]
          : nonEmptyStrings('audience', options.audience),
      requireType,
      requireExpiry,
      clockToleranceSeconds: nonNegativeNumber('clockToleranceSeconds', options.clockToleranceSeconds, 30),
      maxAgeSeconds: nonNegativeNumber('maxAgeSeconds', options.maxAgeSeconds, 300),
    },
    signature: signatureRules(options),
    ...(decryption && { decryption }),
    ...(replayStore && { replayStore }),
    nowSeconds: () => seconds(now()),
    timeoutMs: positiveNumber('timeoutMs', options.timeoutMs, 30_000),
  }
}

/** With a broken clock every comparison with NaN would be false, and expired tokens would be accepted. */
function seconds(milliseconds: number): number {
  if (!Number.isFinite(milliseconds)) throw new ReceiverOptionError('now', 'must return milliseconds since the epoch')
  return milliseconds / 1000
}

function signatureRules({ jwks, clientSecret, algorithms, decryptionKey }: LogoutTokenOptions): SignatureRules {
  if (clientSecret !== undefined) nonEmptyString('clientSecret', clientSecret)
  const allowed = algorithms === undefined ? DEFAULT_ALGORITHMS : nonEmptyStrings('algorithms', algorithms)
  for (const alg of allowed) {
    if (![...symmetric, ...asymmetric, ...onRequest].includes(alg)) {
      throw new ReceiverOptionError(
        'algorithms',
        `must not contain ${JSON.stringify(alg)}: it is not a supported signature algorithm`,
      )
    }
  }
  const usesSecret = allowed.some((alg) => symmetric.includes(alg))
  const usesKeys = allowed.some((alg) => !symmetric.includes(alg))
  if (usesSecret && clientSecret === undefined)
    throw new ReceiverOptionError('clientSecret', 'is required for HS algorithms')
  if (usesKeys && jwks === undefined)
    throw new ReceiverOptionError(
      'jwks',
      "is required for algorithms other than HS. Without the option algorithms that is RS256: set algorithms to the client's id_token_signed_response_alg if it is another",
    )
  if (!usesSecret && clientSecret !== undefined && decryptionKey !== 'client_secret') {
    throw new ReceiverOptionError(
      'clientSecret',
      "is not used: add the client's HS algorithm to algorithms, or set decryptionKey: 'client_secret', or leave it out",
    )
  }
  return {
    algorithms: allowed,
    ...(jwks !== undefined && { getKey: issuerKeys(jwks) }),
    ...(usesSecret && clientSecret !== undefined && { secret: new TextEncoder().encode(clientSecret) }),
  }
}

function decryptionRules(options: LogoutTokenOptions): DecryptionRules | undefined {
  const { decryptionKey, clientSecret, keyManagementAlgorithms, contentEncryptionAlgorithms } = options
  for (const [name, value] of Object.entries({ keyManagementAlgorithms, contentEncryptionAlgorithms })) {
    if (value === undefined) continue
    nonEmptyStrings(name, value)
    if (decryptionKey === undefined) throw new ReceiverOptionError('decryptionKey', `is required with ${name}`)
  }
  if (decryptionKey === undefined) return undefined
  return {
    getKey: decryptionKeys(decryptionKey, clientSecret),
    ...(keyManagementAlgorithms && { keyManagementAlgorithms }),
    ...(contentEncryptionAlgorithms && { contentEncryptionAlgorithms }),
  }
}
