import type { Host } from '../../lib/index.ts'
import type { TerminationParts } from '../../plugins/back-channel-logout/ending/termination-parts.ts'
import type { OidcProvider } from '../../plugins/back-channel-logout/provider-internals.ts'
import { clientsOf } from './told-clients.ts'

/** What terminations are carried out with in a test. */
export function terminationParts(host: Host): TerminationParts {
  return {
    host,
    provider: host.provider as OidcProvider,
    clients: clientsOf(host),
    isOn: () => true,
    toleranceSeconds: 15,
  }
}
