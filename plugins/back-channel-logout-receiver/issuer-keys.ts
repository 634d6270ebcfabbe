import { type CompactVerifyGetKey, createLocalJWKSet, type JSONWebKeySet } from 'jose'
import { isObject } from './claim-rules.ts'
import { joseErrorCode } from './jose-code.ts'
import { LogoutTokenError } from './logout-token-error.ts'
import { ReceiverOptionError } from './option-error.ts'
import { RemoteKeySet } from './remote-key-set.ts'

/** Where the issuer's public keys come from: its JWKS, the URL of its `jwks_uri`, or a jose key getter. */
export type IssuerKeys = JSONWebKeySet | URL | CompactVerifyGetKey

/**
 * One key set for each URL in this process, so that cached keys and pauses are shared by all handlers and calls. Beyond
 * this number the least recently used one is evicted; a handler that was created with it keeps using it.
 */
const REMOTE_KEY_SETS_LIMIT = 256
const remoteKeySets: Map<string, RemoteKeySet> = new Map()

/**
 * The key getter for the `jwks` option. It fails with `key_not_found` when there is no such key and with `key_unavailable`
 * when that is not known; only jose's `ERR_JWKS_MULTIPLE_MATCHING_KEYS` is passed on unchanged.
 *
 * @throws {ReceiverOptionError} when `jwks` is none of the three
 */
export function issuerKeys(jwks: unknown): CompactVerifyGetKey {
  if (typeof jwks === 'function') return classifyErrors(jwks as CompactVerifyGetKey)
  if (jwks instanceof URL) return remoteKeySet(jwks).getKey
  return classifyErrors(createLocalJWKSet(publicKeys(jwks)))
}

function remoteKeySet(url: URL): RemoteKeySet {
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    throw new ReceiverOptionError(
      'jwks',
      'must be an https URL (http for loopback only): who can alter the keys in transit can log every user out. ' +
        'Inside a trusted network pass createRemoteJWKSet(url) of jose instead',
    )
  }
  const keySet = remoteKeySets.get(url.href) ?? new RemoteKeySet(new URL(url))
  // A Map keeps the order of insertion: the first entry is the least recently used one.
  remoteKeySets.delete(url.href)
  remoteKeySets.set(url.href, keySet)
  const [oldest] = remoteKeySets.keys()
  if (remoteKeySets.size > REMOTE_KEY_SETS_LIMIT && oldest !== undefined) remoteKeySets.delete(oldest)
  return keySet
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}

function publicKeys(jwks: unknown): JSONWebKeySet {
  if (!isObject(jwks) || !Array.isArray(jwks.keys) || jwks.keys.length === 0 || !jwks.keys.every(isObject)) {
    throw new ReceiverOptionError(
      'jwks',
      'must be a JWKS ({ keys: [...] }, at least one key), a URL object, or a key getter of jose',
    )
  }
  if (jwks.keys.some((key) => key.kty === 'oct' || 'd' in key || 'priv' in key)) {
    throw new ReceiverOptionError('jwks', 'must hold public keys only: take them from the jwks_uri of the issuer')
  }
  return { keys: jwks.keys }
}

function classifyErrors(getKey: CompactVerifyGetKey): CompactVerifyGetKey {
  return async (header, token) => {
    // During its cool-down jose does not fetch: a key that the issuer has started to use since is not known yet.
    const mayBeStale = 'coolingDown' in getKey && getKey.coolingDown === true
    try {
      return await getKey(header, token)
    } catch (cause) {
      const code = joseErrorCode(cause)
      if (code === 'ERR_JWKS_MULTIPLE_MATCHING_KEYS') throw cause
      if (code === 'ERR_JWKS_NO_MATCHING_KEY' && !mayBeStale) throw new LogoutTokenError('key_not_found', { cause })
      throw new LogoutTokenError('key_unavailable', { cause })
    }
  }
}
