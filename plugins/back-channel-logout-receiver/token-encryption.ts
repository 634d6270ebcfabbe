import { createHash } from 'node:crypto'
import { type CompactDecryptGetKey, type CompactJWEHeaderParameters, compactDecrypt, type KeyInput } from 'jose'
import { LogoutTokenError } from './logout-token-error.ts'
import { ReceiverOptionError } from './option-error.ts'

/** The RP's private key, a jose key getter, or `client_secret` for the symmetric algorithms (`dir`, `A…KW`, `A…GCMKW`). */
export type DecryptionKey = KeyInput | CompactDecryptGetKey | 'client_secret'

export interface DecryptionRules {
  readonly getKey: CompactDecryptGetKey
  readonly keyManagementAlgorithms?: readonly string[]
  readonly contentEncryptionAlgorithms?: readonly string[]
}

/**
 * The key getter for the `decryptionKey` option.
 *
 * @throws {ReceiverOptionError} when it is not a key, or is `client_secret` and the option clientSecret is missing
 */
export function decryptionKeys(key: unknown, clientSecret: string | undefined): CompactDecryptGetKey {
  if (key === 'client_secret') {
    if (clientSecret === undefined)
      throw new ReceiverOptionError('clientSecret', "is required for decryptionKey: 'client_secret'")
    return (header) => derivedKey(clientSecret, header)
  }
  if (typeof key === 'function') return key as CompactDecryptGetKey
  if (typeof key !== 'object' || key === null) {
    throw new ReceiverOptionError(
      'decryptionKey',
      "must be a key or a key getter as jose accepts them, or 'client_secret'",
    )
  }
  if ('keys' in key && Array.isArray(key.keys))
    throw new ReceiverOptionError('decryptionKey', 'must be one private key: for several pass a key getter')
  if ('kty' in key && !('d' in key) && !('k' in key)) {
    throw new ReceiverOptionError('decryptionKey', 'must be the private key: the OP needs the public one')
  }
  return () => key as Exclude<KeyInput, string>
}

/**
 * The signed token inside an encrypted one: Back-Channel Logout 1.0 section 2.6 step 1, RFC 7519 section 7.2.
 *
 * Compressed tokens are refused: oidc-provider does not send them, and a small one can decompress to a large one.
 *
 * @throws {LogoutTokenError} always `decryption_failed`, so that the response reveals nothing about the key
 */
export async function decryptToken(
  token: string,
  rules: DecryptionRules,
): Promise<{ signed: string; header: CompactJWEHeaderParameters }> {
  const { getKey, keyManagementAlgorithms, contentEncryptionAlgorithms } = rules
  try {
    const { plaintext, protectedHeader } = await compactDecrypt(token, getKey, {
      maxDecompressedLength: 0,
      ...(keyManagementAlgorithms && { keyManagementAlgorithms: [...keyManagementAlgorithms] }),
      ...(contentEncryptionAlgorithms && { contentEncryptionAlgorithms: [...contentEncryptionAlgorithms] }),
    })
    return { signed: new TextDecoder('utf-8', { fatal: true }).decode(plaintext), header: protectedHeader }
  } catch (cause) {
    throw new LogoutTokenError('decryption_failed', { cause })
  }
}

/** Core 1.0 section 10.2: the key is the left part of a SHA-2 hash of the client secret's UTF-8 octets. */
function derivedKey(clientSecret: string, { alg, enc }: CompactJWEHeaderParameters): Uint8Array {
  const bits = Number(
    alg === 'dir' ? /^A(?:\d{3}CBC-HS)?(\d{3})(?:GCM)?$/.exec(enc)?.[1] : /^A(\d{3})(?:GCM)?KW$/.exec(alg)?.[1],
  )
  if (Number.isNaN(bits)) throw new TypeError('the key of this algorithm is not derived from the client secret')
  const digest = bits <= 256 ? 'sha256' : bits <= 384 ? 'sha384' : 'sha512'
  return createHash(digest)
    .update(clientSecret, 'utf8')
    .digest()
    .subarray(0, bits / 8)
}
