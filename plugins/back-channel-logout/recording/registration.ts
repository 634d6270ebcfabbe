import type { AccountKeys, NewEvent } from '../../../lib/index.ts'
import type { ToldClient } from '../clients/told-clients.ts'
import { registrationStreams } from './index-streams.ts'
import type { Login } from './logins.ts'
import { sessionLogoutStream, toEvent } from './session-logout-events.ts'

/** What is registered: that a client holds a login, and may be to be told of its end. */
export interface Registration extends Login {
  readonly uid: string
  readonly accountId: string
  /** Whether the ID tokens of the login carry the sid. */
  readonly includeSid: boolean
  /** The client, where it is known to have a URI. */
  readonly client: ToldClient | undefined
}

/** The fact that registers a login. @throws whatever the store throws */
export async function registrationOf(
  keys: AccountKeys,
  issuer: string,
  { uid, clientId, sid, accountId, includeSid, client }: Registration,
): Promise<NewEvent> {
  return toEvent(
    uid,
    {
      type: 'session_logout.back_channel.registered',
      client_id: clientId,
      oidc_session_id: sid,
      user_id: await keys.seal(accountId, sessionLogoutStream(uid), { issuer, accountId }),
      session_required: includeSid,
      ...(client && { has_uri: true }),
      ...(client?.initiators && { initiators: client.initiators }),
    },
    registrationStreams(keys.ring, clientId, accountId),
  )
}
