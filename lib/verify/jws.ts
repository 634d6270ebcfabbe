import { createHmac, type KeyObject, sign, timingSafeEqual, verify } from 'node:crypto'

/** What anchors are signed with: `EdDSA` (Ed25519, RFC 8037), `ES256` (P-256) and `HS256` (RFC 7518, sections 3.4 and 3.2). */
export type JwsAlgorithm = 'EdDSA' | 'ES256' | 'HS256'

/** A key, and the only algorithm that it is used with. */
export type JwsKey =
  | { readonly kid: string; readonly alg: 'EdDSA' | 'ES256'; readonly key: KeyObject }
  | { readonly kid: string; readonly alg: 'HS256'; readonly key: Uint8Array }

/** The parts of a compact JWS, of which nothing is verified. */
export interface UnverifiedJws {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Readonly<Record<string, unknown>>
  readonly signed: string
  readonly signature: Buffer
}

/** A compact JWS (RFC 7515, section 7.1) with a JSON payload. */
export function signJws(header: { readonly typ: string }, payload: object, key: JwsKey): string {
  const signed = `${encode({ alg: key.alg, kid: key.kid, ...header })}.${encode(payload)}`
  return `${signed}.${signatureOf(signed, key).toString('base64url')}`
}

/** Undefined: the text is no compact JWS with a JSON payload. */
export function decodeJws(text: string): UnverifiedJws | undefined {
  const [header, payload, signature, ...more] = text.split('.')
  if (!header || !payload || !signature || more.length > 0) return undefined
  const [head, body] = [decode(header), decode(payload)]
  if (!head || !body) return undefined
  return { header: head, payload: body, signed: `${header}.${payload}`, signature: Buffer.from(signature, 'base64url') }
}

/** Whether who has the key signed it. The algorithm is the key's, whatever the header says. */
export function isSignedBy({ signed, signature }: UnverifiedJws, key: JwsKey): boolean {
  if (key.alg === 'HS256') {
    const expected = signatureOf(signed, key)
    return signature.length === expected.length && timingSafeEqual(signature, expected)
  }
  return verify(hashOf(key.alg), Buffer.from(signed), { key: key.key, dsaEncoding: 'ieee-p1363' }, signature)
}

function signatureOf(signed: string, key: JwsKey): Buffer {
  if (key.alg === 'HS256') return createHmac('sha256', key.key).update(signed).digest()
  return sign(hashOf(key.alg), Buffer.from(signed), { key: key.key, dsaEncoding: 'ieee-p1363' })
}

/** Ed25519 has a hash of its own. */
function hashOf(alg: 'EdDSA' | 'ES256'): string | null {
  return alg === 'ES256' ? 'sha256' : null
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function decode(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
