import type { ClientLike, KeyRing, Logger } from '../../../lib/index.ts'
import { INITIATORS, initiatorsProblem, uriProblem } from '../clients/client-metadata.ts'
import type { OidcClient, OidcProvider } from '../provider-internals.ts'
import type { Reason } from '../reasons.ts'
import { isAway } from '../work/store-away.ts'
import { type Registered, sessionLogoutStream } from './session-logout-events.ts'

/** What clients are found with. */
export interface RegistrarParts {
  readonly provider: OidcProvider
  readonly logger: Logger
  readonly development: boolean
}

/** Knows which clients can be told of logouts. */
export class Registrar {
  readonly #warned = new Set<string>()

  /**
   * The client, if it can be told. A client that cannot be loaded must not break anybody's login; a store that is away
   * is another matter, and is thrown.
   *
   * @param current - the client that the request has loaded, if it has
   */
  async clientToTell(
    { provider, logger, development }: RegistrarParts,
    clientId: string,
    current?: ClientLike,
  ): Promise<OidcClient | undefined> {
    let client: OidcClient | undefined
    try {
      client = current?.clientId === clientId ? (current as OidcClient) : await provider.Client.find(clientId)
    } catch (err) {
      // Without the registration nobody would ever tell the RP, and no later write of the session looks at it again.
      if (isAway(err)) throw err
      logger.warn(
        { err, client_id: clientId },
        'a client cannot be loaded, and so not be registered for back-channel logout',
      )
      return undefined
    }
    if (!client?.backchannelLogoutUri) return undefined
    const problem = uriProblem(client.backchannelLogoutUri, development)
    if (problem === undefined) return client
    if (!this.#warned.has(clientId)) {
      this.#warned.add(clientId)
      logger.warn({ client_id: clientId }, `the client's backchannel_logout_uri ${problem}: it is not told of logouts`)
    }
    return undefined
  }
}

/** What is registered: that a client holds a login, and is to be told of its end. */
export interface Login {
  readonly uid: string
  readonly client: OidcClient
  /** The RP's session id for the login; empty where it holds a grant alone. */
  readonly sid: string
  readonly withSid: boolean
  readonly accountId: string
}

/** The fact that registers a login. */
export function registrationOf(keys: KeyRing, { uid, client, sid, withSid, accountId }: Login): Registered {
  const initiators = client[INITIATORS]
  const valid = initiators !== undefined && initiatorsProblem(initiators) === undefined
  return {
    type: 'session_logout.back_channel.registered',
    client_id: client.clientId,
    oidc_session_id: sid,
    user_id: keys.seal(accountId, sessionLogoutStream(uid)),
    back_channel_logout_uri: String(client.backchannelLogoutUri),
    session_required: withSid,
    ...(valid && { initiators: initiators as readonly Reason[] }),
  }
}
