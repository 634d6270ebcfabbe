import { generateKeyPair, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { JWKS } from 'oidc-provider'
import { secretFile } from '../secret-file.ts'

/** What the OP itself needs: ID tokens and cookies of before a restart must be good after it. */
export interface OpSecrets {
  readonly cookieKeys: readonly string[]
  readonly jwks: JWKS
}

export function opSecrets(stateFolder: string): Promise<OpSecrets> {
  return secretFile(stateFolder, 'op.json', async () => ({
    cookieKeys: [randomBytes(32).toString('base64url')],
    jwks: { keys: [await newSigningKey()] },
  }))
}

async function newSigningKey(): Promise<JWKS['keys'][number]> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const kid = randomBytes(6).toString('hex')
  return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' } as JWKS['keys'][number]
}
