import assert from 'node:assert/strict'
import type { ClientMetadata } from 'oidc-provider'
import { Client, Person } from './op.ts'

/** One HTTP request of a flow, after it was answered. */
export interface FlowStep {
  readonly name: string
  readonly status: number
}

/** The requests of a flow, in order. */
export const FLOW_STEPS = [
  'authorize',
  'login page',
  'login',
  'resume after login',
  'consent page',
  'consent',
  'resume after consent',
  'exchange',
  'userinfo',
  'introspect',
  'refresh',
  'revoke',
  'end_session',
  'confirm',
  'logged out page',
] as const

/**
 * Everything between a login and a logout, one HTTP request at a time: authorize, login, consent, exchange, userinfo,
 * introspect, refresh, revoke, end_session, confirm. Yields after each request.
 */
export async function* wholeFlow(
  op: { readonly issuer: string },
  client: ClientMetadata,
): AsyncGenerator<FlowStep & { readonly name: (typeof FLOW_STEPS)[number] }> {
  const person = new Person(op)
  const { agent } = person
  const rp = new Client(op, client)

  let answer = await agent.get(
    person.authorizationUrl(client.client_id, { scope: 'openid offline_access', prompt: 'consent' }),
  )
  yield { name: 'authorize', status: expected(answer, 303) }
  for (const prompt of ['login', 'consent'] as const) {
    const page = await agent.get(locationOf(answer))
    yield { name: `${prompt} page`, status: expected(page, 200) }
    answer = await person.submit(page)
    yield { name: prompt, status: expected(answer, 303) }
    answer = await agent.get(locationOf(answer))
    yield { name: `resume after ${prompt}`, status: expected(answer, 303) }
  }
  const code = new URL(locationOf(answer)).searchParams.get('code') ?? ''

  const tokens = await rp.exchange(code)
  yield { name: 'exchange', status: expected(tokens, 200) }
  const accessToken = String(tokens.body['access_token'])
  yield { name: 'userinfo', status: expected(await rp.userinfo(accessToken), 200) }
  const introspected = await rp.introspect(accessToken)
  assert.equal(introspected.body['active'], true)
  yield { name: 'introspect', status: expected(introspected, 200) }
  const refreshed = await rp.refresh(String(tokens.body['refresh_token']))
  yield { name: 'refresh', status: expected(refreshed, 200) }
  yield { name: 'revoke', status: expected(await rp.revoke(String(refreshed.body['refresh_token'])), 200) }

  const question = await person.endSession()
  yield { name: 'end_session', status: expected(question, 200) }
  answer = await person.confirm(question)
  yield { name: 'confirm', status: expected(answer, 303) }
  yield { name: 'logged out page', status: expected(await agent.get(locationOf(answer)), 200) }
}

function expected({ status }: { readonly status: number }, wanted: number): number {
  assert.equal(status, wanted)
  return status
}

function locationOf({ headers, url }: { readonly headers: Headers; readonly url: string }): string {
  const location = headers.get('location')
  assert.ok(location, `no redirect from ${url}`)
  return new URL(location, url).href
}
