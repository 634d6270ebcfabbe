import { randomUUID } from 'node:crypto'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

/** A client's instance whose key is attested (OAuth 2.0 Attestation-Based Client Authentication, draft 12). */
export interface AttestedInstance {
  /** The key of whoever attests. */
  readonly attesterKey: CryptoKey
  attestation(clientId: string): Promise<string>
  /** A proof of possession (section 5.2); each is another one. */
  pop(clientId: string, issuer: string, challenge?: string): Promise<string>
  /** A DPoP proof by the attested key; each is another one. */
  dpop(method: string, url: string, nonce?: string): Promise<string>
}

export async function newAttestedInstance(): Promise<AttestedInstance> {
  const attester = await generateKeyPair('ES256')
  const instance = await generateKeyPair('ES256')
  const jwk: JWK = await exportJWK(instance.publicKey)
  return {
    attesterKey: attester.publicKey,
    attestation: (clientId) =>
      new SignJWT({ cnf: { jwk } })
        .setProtectedHeader({ alg: 'ES256', typ: 'oauth-client-attestation+jwt' })
        .setSubject(clientId)
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(attester.privateKey),
    pop: (clientId, issuer, challenge) =>
      new SignJWT({ ...(challenge !== undefined && { challenge }) })
        .setProtectedHeader({ alg: 'ES256', typ: 'oauth-client-attestation-pop+jwt' })
        .setIssuer(clientId)
        .setAudience(issuer)
        .setJti(randomUUID())
        .setIssuedAt()
        .sign(instance.privateKey),
    dpop: (method, url, nonce) =>
      new SignJWT({ htm: method, htu: url, ...(nonce !== undefined && { nonce }) })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setJti(randomUUID())
        .setIssuedAt()
        .sign(instance.privateKey),
  }
}
