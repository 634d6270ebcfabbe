import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { AnchorInvalidError, OptionInvalidError } from '../errors.ts'
import type { KeyRing } from '../secrets/key-ring.ts'

/**
 * A key, and the only algorithm that it is used with: `EdDSA` (Ed25519, RFC 8037), `ES256` (P-256, RFC 7518, section 3.4)
 * or `HS256` (RFC 7518, section 3.2).
 */
export interface AnchorKey {
  readonly kid: string
  readonly alg: 'EdDSA' | 'ES256' | 'HS256'
  readonly key: KeyObject | Uint8Array
}

/**
 * The private key that signs anchors.
 *
 * @param text - Ed25519 or P-256, as PEM (PKCS #8) or as a JWK
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export async function anchorSigningKey(text: string): Promise<AnchorKey> {
  const jwk = jwkIn(text)
  if (jwk && jwk['d'] === undefined) throw unusable('is a public key: signing needs the private one')
  return keyOf(text, () => (jwk ? createPrivateKey({ key: jwk, format: 'jwk' }) : createPrivateKey(text)))
}

/**
 * The key that verifies them.
 *
 * @param text - the public key, or the private one, as PEM or as a JWK
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export async function anchorVerificationKey(text: string): Promise<AnchorKey> {
  const jwk = jwkIn(text)
  return keyOf(text, () => {
    if (!jwk) return createPublicKey(text)
    const { d: _, ...half } = jwk
    return createPublicKey({ key: half, format: 'jwk' })
  })
}

/** What signs where no key pair is given: derived from the key that hashes. */
export function storeKey(keys: KeyRing): AnchorKey {
  return storeKeys(keys)[0] as AnchorKey
}

/**
 * The key that an anchor says it was signed with.
 *
 * @throws AnchorInvalidError (`ANCHOR_INVALID`)
 */
export function keyFor(
  { alg, kid }: { readonly alg?: unknown; readonly kid?: unknown },
  known: readonly AnchorKey[],
): AnchorKey {
  // The algorithm goes with the key, and never with what the anchor says: a public key is no secret.
  const found = known.find((one) => one.kid === kid && one.alg === alg)
  if (found) return found
  const alike = known.filter((one) => (one.alg === 'HS256') === (alg === 'HS256'))
  if (alike.length === 0) throw new AnchorInvalidError('it was signed with a key pair: name its public key')
  const named = alike.map((one) => one.kid).join(', ')
  throw new AnchorInvalidError(`it was signed with the key ${quoted(kid)}, which is not known here (${named})`)
}

/** Nobody has verified it: it may be anything. */
function quoted(kid: unknown): string {
  return JSON.stringify(String(kid).slice(0, 64))
}

/** What verifies where no key pair is given. */
export function storeKeys(keys: KeyRing): AnchorKey[] {
  return keys.anchorSecrets().map(({ id, secret }) => ({ kid: id, alg: 'HS256', key: secret }))
}

async function keyOf(text: string, make: () => KeyObject): Promise<AnchorKey> {
  let key: KeyObject
  try {
    key = make()
  } catch {
    // Without the cause, which may quote what it has read.
    throw unusable(text.includes('ENCRYPTED') ? 'is encrypted' : 'cannot be read')
  }
  const alg = algorithmOf(key)
  if (!alg) throw unusable('is of another kind')
  return { kid: await calculateJwkThumbprint(key), alg, key }
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): 'EdDSA' | 'ES256' | undefined {
  if (asymmetricKeyType === 'ed25519') return 'EdDSA'
  return asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1' ? 'ES256' : undefined
}

function jwkIn(text: string): JsonWebKey | undefined {
  if (typeof text !== 'string') throw unusable('is no text')
  if (!text.trimStart().startsWith('{')) return undefined
  try {
    return JSON.parse(text) as JsonWebKey
  } catch {
    throw unusable('cannot be read')
  }
}

function unusable(what: string): OptionInvalidError {
  return new OptionInvalidError('key', `${what}: an Ed25519 or P-256 key is needed, as PEM or as a JWK`)
}
