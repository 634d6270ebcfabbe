import { randomBytes } from 'node:crypto'
import { secretFile } from '../secret-file.ts'
import type { RpId } from '../settings.ts'

/** What an RP needs. The OP reads the client secret in the same place: in life you would get it when you register. */
export interface RpSecrets {
  readonly clientSecret: string
  readonly cookieKeys: readonly string[]
}

export function rpSecrets(stateFolder: string, id: RpId): Promise<RpSecrets> {
  return secretFile(stateFolder, `${id}.json`, () => ({
    clientSecret: randomBytes(32).toString('base64url'),
    cookieKeys: [randomBytes(32).toString('base64url')],
  }))
}
