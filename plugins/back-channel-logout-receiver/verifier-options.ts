import { systemClock } from '../../lib/clock.ts'
import type { ClaimRules } from './claim-rules.ts'
import { type IssuerKeys, issuerKeys } from './issuer-keys.ts'
import {
  atLeastZero,
  callable,
  knownOptions,
  nonEmptyString,
  nonEmptyStrings,
  positive,
  ReceiverOptionError,
} from './option-error.ts'
import type { LogoutTokenReplayStore } from './replay-store.ts'
import { type DecryptionKey, type DecryptionRules, decryptionKeys } from './token-encryption.ts'
import type { SignatureRules } from './token-signature.ts'

/** How one RP judges the logout tokens of one OP. */
export interface LogoutTokenOptions {
  /** The OP's issuer, exactly as in its discovery document and its ID tokens. */
  issuer: string
  /** The RP's client id, or all of them: one has to be in `aud`. */
  audience: string | readonly string[]
  /**
   * The OP's public keys. Needed for every algorithm but `HS…`. Those of a URL are fetched at most every 30 seconds, and go
   * on verifying for a day while they cannot be fetched.
   */
  jwks?: IssuerKeys
  /** Needed for `HS…` signatures, and for `decryptionKey: 'client_secret'`. */
  clientSecret?: string
  /**
   * The allowed signing algorithms: the client's `id_token_signed_response_alg`, and no other. Default `RS256` alone,
   * which is that parameter's own default (Back-Channel Logout 1.0 section 2.6 step 3, Dynamic Client Registration 1.0
   * section 2). Never `none`.
   */
  algorithms?: readonly string[]
  /** For a client with `id_token_encrypted_response_alg`. Once given, a token that is not encrypted is refused. */
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
   * `iat`. An `exp` that is there is checked in any case.
   */
  requireExpiry?: boolean
  /** How far the clocks of OP and RP may differ. Default 30. */
  clockToleranceSeconds?: number
  /** How old a token (`iat`) may be, beyond the tolerance, even if its `exp` would allow more. Default 300. */
  maxAgeSeconds?: number
  /** With it each token is taken once (section 2.6 step 8). */
  replayStore?: LogoutTokenReplayStore
  /**
   * How long all of it may take, from reading the request to the end of `onLogout`, in milliseconds. Default 30,000. What
   * takes longer is given up with `timed_out`; nothing stops an `onLogout` that has begun, and it may still succeed.
   */
  timeoutMs?: number
  /** The clock: milliseconds since the epoch. Default: the machine's. The age of fetched keys is not measured by it. */
  now?: () => number
}

/** The options, checked and made ready. */
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

/** @throws {ReceiverOptionError} `OPTION_INVALID`, naming the option; nothing has been read or fetched by then */
export function verifierRules(options: LogoutTokenOptions): VerifierRules {
  knownOptions(options, logoutTokenOptionNames)
  const { replayStore, now = systemClock.now, requireType = false, requireExpiry = true } = options
  for (const [name, value] of Object.entries({ requireType, requireExpiry })) {
    if (typeof value !== 'boolean') throw new ReceiverOptionError(name, 'must be true or false')
  }
  if (replayStore !== undefined && typeof replayStore?.reserve !== 'function') {
    throw new ReceiverOptionError('replayStore', 'must have a reserve method')
  }
  callable('now', now)
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
      clockToleranceSeconds: atLeastZero('clockToleranceSeconds', options.clockToleranceSeconds, 30),
      maxAgeSeconds: atLeastZero('maxAgeSeconds', options.maxAgeSeconds, 300),
    },
    signature: signatureRules(options),
    ...(decryption && { decryption }),
    ...(replayStore && { replayStore }),
    nowSeconds: () => seconds(now()),
    timeoutMs: positive('timeoutMs', options.timeoutMs, 30_000),
  }
}

/** A clock that is broken must not let everything pass, as comparisons with NaN would. */
function seconds(milliseconds: number): number {
  if (!Number.isFinite(milliseconds)) throw new ReceiverOptionError('now', 'must return milliseconds since the epoch')
  return milliseconds / 1000
}

function signatureRules({ jwks, clientSecret, algorithms, decryptionKey }: LogoutTokenOptions): SignatureRules {
  if (clientSecret !== undefined) nonEmptyString('clientSecret', clientSecret)
  if (jwks === undefined && clientSecret === undefined) {
    throw new ReceiverOptionError('jwks', 'must be given, or clientSecret for a client with an HS algorithm')
  }
  const allowed = algorithms === undefined ? DEFAULT_ALGORITHMS : nonEmptyStrings('algorithms', algorithms)
  for (const alg of allowed) {
    if (![...symmetric, ...asymmetric, ...onRequest].includes(alg)) {
      throw new ReceiverOptionError(
        'algorithms',
        `must not hold ${JSON.stringify(alg)}: it is no signature algorithm known here`,
      )
    }
  }
  const usesSecret = allowed.some((alg) => symmetric.includes(alg))
  const usesKeys = allowed.some((alg) => !symmetric.includes(alg))
  if (usesSecret && clientSecret === undefined)
    throw new ReceiverOptionError('clientSecret', 'must be given for HS algorithms')
  if (usesKeys && jwks === undefined)
    throw new ReceiverOptionError(
      'jwks',
      "must be given for algorithms other than HS. Without the option algorithms that is RS256: name the client's id_token_signed_response_alg in algorithms if it is another",
    )
  if (!usesSecret && clientSecret !== undefined && decryptionKey !== 'client_secret') {
    throw new ReceiverOptionError(
      'clientSecret',
      "is used by nothing: name the client's HS algorithm in algorithms, or set decryptionKey: 'client_secret', or leave it out",
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
    if (decryptionKey === undefined) throw new ReceiverOptionError('decryptionKey', `must be given when ${name} is`)
  }
  if (decryptionKey === undefined) return undefined
  return {
    getKey: decryptionKeys(decryptionKey, clientSecret),
    ...(keyManagementAlgorithms && { keyManagementAlgorithms }),
    ...(contentEncryptionAlgorithms && { contentEncryptionAlgorithms }),
  }
}
