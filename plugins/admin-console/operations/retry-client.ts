import type { BackChannelLogout } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { RetryClientRequest } from '../api/contract.ts'
import type { NewOperation } from './operations.ts'

/** Makes due at once what waits for an RP. */
export function retryClient(logout: BackChannelLogout, request: RetryClientRequest, actor: string): NewOperation {
  return {
    kind: 'retry_client',
    dryRun: false,
    request,
    actor,
    async run({ signal, progress }) {
      const onProgress = ({ hastened }: { readonly hastened: number }): void => progress({ done: hastened })
      const outcome = await logout.retry(request, { signal, onProgress })
      signal.throwIfAborted()
      return outcome
    },
  }
}
