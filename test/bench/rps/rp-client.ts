import type { ClientMetadata } from 'oidc-provider'
import { testClient } from '../../support/op.ts'

/** How an RP answers a logout token. */
export type RpAnswer = 'at once' | 'slowly' | 'never'

/** The client of an RP that has an address of its own, for `rp-process.ts` at this port. */
export function rpClient(
  id: string,
  index: number,
  { port, answers = 'at once', ...more }: { port: number; answers?: RpAnswer } & Partial<ClientMetadata>,
): ClientMetadata {
  const host = `127.1.${Math.floor(index / 200)}.${1 + (index % 200)}`
  return testClient(id, {
    backchannel_logout_uri: `http://${host}:${port}/${answers.replace(' ', '-')}`,
    ...more,
  })
}
