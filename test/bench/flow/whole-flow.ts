import type { ClientMetadata } from 'oidc-provider'
import { Client, Person } from '../../support/op.ts'

/** What a user's session asks of an OP, in this order. */
export const STEPS = ['authorize', 'exchange', 'userinfo', 'introspect', 'refresh', 'revoke', 'logout'] as const

export type Step = (typeof STEPS)[number]

/**
 * From login to logout.
 *
 * @param lap - called after each step, with how long it took in milliseconds
 */
export async function wholeFlow(
  op: { readonly issuer: string },
  client: ClientMetadata,
  login: string,
  lap: (step: Step, ms: number) => void = () => {},
): Promise<void> {
  const person = new Person(op)
  const rp = new Client(op, client)
  let began = performance.now()
  const done = (step: Step, status: number, expected: number): void => {
    if (status !== expected) throw new Error(`the flow broke at ${step}: HTTP ${status} instead of ${expected}`)
    const now = performance.now()
    lap(step, now - began)
    began = now
  }
  const back = await person.authorize(client.client_id, { login, scope: 'openid offline_access', prompt: 'consent' })
  done('authorize', 200, 200)
  const tokens = await rp.exchange(back.get('code') ?? '')
  done('exchange', tokens.status, 200)
  const accessToken = String(tokens.body.access_token)
  done('userinfo', (await rp.userinfo(accessToken)).status, 200)
  done('introspect', (await rp.introspect(accessToken)).status, 200)
  const fresh = await rp.refresh(String(tokens.body.refresh_token))
  done('refresh', fresh.status, 200)
  done('revoke', (await rp.revoke(String(fresh.body.refresh_token))).status, 200)
  done('logout', (await person.logout()).status, 303)
}
