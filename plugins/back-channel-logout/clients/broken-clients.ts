import { type Clock, componentLogger, type Logger, type RequestContext } from '../../../lib/index.ts'
import type { OidcProvider } from '../provider-internals.ts'
import { isStoreUnavailable } from '../work/store-unavailable.ts'
import { answeredInTime } from './answered-in-time.ts'

/**
 * While a user logs out, a client that cannot be loaded, or not in time, is answered as absent: `end_session_confirm`
 * loads every client of the session, and one whose stored metadata is invalid would keep everybody from logging out.
 */
export class BrokenClients {
  readonly #attached = new WeakSet<OidcProvider['Client']>()

  /** From now on the provider's clients are found so. Idempotent: a provider may be started again. */
  attach(provider: OidcProvider, given: Logger, clock: Clock): void {
    const logger = componentLogger(given, 'clients')
    const { Client } = provider
    if (this.#attached.has(Client)) return
    this.#attached.add(Client)
    const find = Client.find
    Client.find = async (id) => {
      const found = find.call(Client, id)
      if (routeOf(provider) !== 'end_session_confirm') return found
      try {
        return await answeredInTime(found, clock)
      } catch (error) {
        if (isStoreUnavailable(error)) throw error // nobody must be logged out by half
        logger.warn(
          { event: 'client_unreadable', err: error, client_id: id },
          'a client cannot be loaded: the logout goes on as if it was not there',
        )
        return undefined
      }
    }
  }
}

/** The route of the request that this runs in, if that is one of this provider: all of a process share the context. */
function routeOf(provider: OidcProvider): string | undefined {
  const { ctx } = provider.constructor as { readonly ctx?: Partial<Pick<RequestContext, 'oidc'>> }
  const oidc = ctx?.oidc as (RequestContext['oidc'] & { readonly provider?: unknown }) | undefined
  return oidc?.provider === provider ? oidc.route : undefined
}
