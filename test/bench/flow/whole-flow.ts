import type { ClientMetadata } from 'oidc-provider'
import { Client, Person } from '../../support/op.ts'

/** From login to logout: what a user's session asks of an OP. */
export async function wholeFlow(op: { readonly issuer: string }, client: ClientMetadata, login: string): Promise<void> {
  const person = new Person(op)
  const rp = new Client(op, client)
  const back = await person.authorize(client.client_id, { login, scope: 'openid offline_access', prompt: 'consent' })
  const tokens = await rp.exchange(back.get('code') ?? '')
  expect(tokens.status, 200)
  expect((await rp.userinfo(String(tokens.body.access_token))).status, 200)
  expect((await rp.introspect(String(tokens.body.access_token))).status, 200)
  const fresh = await rp.refresh(String(tokens.body.refresh_token))
  expect(fresh.status, 200)
  expect((await rp.revoke(String(fresh.body.refresh_token))).status, 200)
  expect((await person.logout()).status, 303)
}

function expect(status: number, expected: number): void {
  if (status !== expected) throw new Error(`the flow broke: HTTP ${status} instead of ${expected}`)
}
