import { type Host, silent } from '../../lib/index.ts'
import { ToldClients } from '../../plugins/back-channel-logout/clients/told-clients.ts'
import type { OidcProvider } from '../../plugins/back-channel-logout/provider-internals.ts'

/** Which clients of the host's provider can be told; none may leave out operators' reasons. */
export function clientsOf(host: Host): ToldClients {
  const provider = host.provider as OidcProvider
  const { clock } = host
  return new ToldClients({ provider, logger: silent, clock, development: true, mayFilterOperators: () => false })
}
