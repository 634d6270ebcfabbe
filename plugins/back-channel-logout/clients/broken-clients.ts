import { AsyncLocalStorage } from 'node:async_hooks'
import type { Logger, RequestContext } from '../../../lib/index.ts'
import type { OidcProvider } from '../provider-internals.ts'
import { isAway } from '../work/store-away.ts'

/**
 * While a user logs out, a client that cannot be loaded is answered as absent: `end_session_confirm` loads every client
 * of the session, and one whose stored metadata is invalid would keep everybody from logging out.
 */
export class BrokenClients {
  readonly #requests = new AsyncLocalStorage<RequestContext>()
  readonly #attached = new WeakSet<OidcProvider['Client']>()

  /** Runs the rest of a request. */
  around<T>(ctx: RequestContext, next: () => Promise<T>): Promise<T> {
    return this.#requests.run(ctx, next)
  }

  /** From now on the provider's clients are found so. Idempotent: a provider may be started again. */
  attach({ Client }: OidcProvider, logger: Logger): void {
    if (this.#attached.has(Client)) return
    this.#attached.add(Client)
    const find = Client.find
    Client.find = async (id) => {
      try {
        return await find.call(Client, id)
      } catch (error) {
        if (isAway(error)) throw error // nobody must be logged out by half
        if (this.#requests.getStore()?.oidc?.route !== 'end_session_confirm') throw error
        logger.warn(
          { err: error, client_id: id },
          'a client cannot be loaded: the logout goes on as if it was not there',
        )
        return undefined
      }
    }
  }
}
