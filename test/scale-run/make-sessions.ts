import type Provider from 'oidc-provider'
import type { ClientMetadata } from 'oidc-provider'

const FORTNIGHT_SECONDS = 14 * 24 * 3_600
/** So many are made at a time: their writes share the commands of the store. */
const AT_ONCE = 96
const TELL_EVERY = 1_000

/**
 * Makes sessions as the provider would have them after a login and a consent at each client: a Grant for each, and a
 * Session with a sid for each, through the provider's own models. Interactions, codes and tokens are left out: nothing
 * looks at them when a session ends.
 */
export async function makeSessions(
  provider: Provider,
  clients: readonly ClientMetadata[],
  count: number,
  made: (soFar: number) => void,
): Promise<number> {
  let next = 0
  let done = 0
  const make = async (): Promise<void> => {
    while (next < count) {
      await makeSession(provider, clients, `person-${next++}`)
      done += 1
      if (done % TELL_EVERY === 0) made(done)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, make))
  return done
}

export type SavedSession = InstanceType<Provider['Session']>

/** Makes one, of this account. */
export async function makeSession(
  provider: Provider,
  clients: readonly ClientMetadata[],
  accountId: string,
): Promise<SavedSession> {
  const session = new provider.Session()
  session.loginAccount({ accountId, loginTs: Math.floor(Date.now() / 1000) })
  const granted = clients.map(async ({ client_id: clientId }) => {
    const grant = new provider.Grant({ accountId, clientId })
    grant.addOIDCScope('openid')
    session.grantIdFor(clientId, await grant.save())
    session.ensureClientContainer(clientId)
  })
  await Promise.all(granted)
  await session.save(FORTNIGHT_SECONDS)
  return session
}
