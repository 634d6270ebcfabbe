import type { KeyRing, NewEvent } from '../../../lib/index.ts'
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

/** The fact that registers a login. */
export function registrationOf(
  keys: KeyRing,
  { uid, clientId, sid, accountId, includeSid, client }: Registration,
): NewEvent {
  return toEvent(
    uid,
    {
      type: 'session_logout.back_channel.registered',
      client_id: clientId,
      oidc_session_id: sid,
      user_id: keys.seal(accountId, sessionLogoutStream(uid)),
      session_required: includeSid,
      ...(client && { has_uri: true }),
      ...(client?.initiators && { initiators: client.initiators }),
    },
    registrationStreams(keys, clientId, accountId),
  )
}
