import { createHash, randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

/** A key with which a client shows who it is. */
export interface ProofKey {
  readonly publicJwk: JWK
  /** A client assertion (RFC 7523 section 3); each is another one. */
  assertion(clientId: string, issuer: string): Promise<Record<string, string>>
  /** A DPoP proof (RFC 9449 section 4.2); each is another one. */
  dpop(method: string, url: string, accessToken?: string): Promise<string>
}

export async function newProofKey(): Promise<ProofKey> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  return {
    publicJwk: { ...jwk, alg: 'ES256', use: 'sig' },
    async assertion(clientId, issuer) {
      const jwt = await new SignJWT({})
        .setProtectedHeader({ alg: 'ES256' })
        .setIssuer(clientId)
        .setSubject(clientId)
        .setAudience(issuer)
        .setJti(randomUUID())
        .setIssuedAt()
        .setExpirationTime('60s')
        .sign(privateKey)
      return {
        client_assertion: jwt,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }
    },
    dpop(method, url, accessToken) {
      const ath = accessToken && createHash('sha256').update(accessToken).digest('base64url')
      return new SignJWT({ htm: method, htu: url, ...(ath && { ath }) })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setJti(randomUUID())
        .setIssuedAt()
        .sign(privateKey)
    },
  }
}
