import type { Logger } from '../../../lib/index.ts'
import type { OidcProvider } from '../provider-internals.ts'
import type { Attempt } from './attempt.ts'
import type { Step } from './delivery.ts'

/** Why an RP was not told, as a listener of the provider's event `backchannel.error` gets it. */
export class LogoutNotConfirmed extends Error {
  override readonly name = 'LogoutNotConfirmed'
  readonly attempt: number
  /** Whether it will be tried again. */
  readonly final: boolean
  /** The RP's HTTP status, where it answered. */
  readonly status?: number

  constructor(message: string, { attempt, final, status }: Pick<LogoutNotConfirmed, 'attempt' | 'final' | 'status'>) {
    super(message)
    this.attempt = attempt
    this.final = final
    if (status !== undefined) this.status = status
  }
}

/**
 * Has the provider emit what the RP has answered, as `end_session` does for the logout tokens that oidc-provider sends
 * itself: `backchannel.success (ctx, client, accountId, sid)` and `backchannel.error (ctx, error, client, accountId, sid)`.
 * In the process that has sent the token, once its outcome is recorded, at each attempt. `ctx` is undefined: the request
 * is over. A listener that throws stops no delivery.
 */
export function announceOutcome(
  { provider, logger }: { readonly provider: OidcProvider; readonly logger: Logger },
  step: Step,
  { told, answer }: Extract<Attempt, { kind: 'tried' }>,
): void {
  if (!told) return
  const { client, accountId, sid } = told
  try {
    if (step.kind === 'confirmed') {
      provider.emit('backchannel.success', undefined, client, accountId, sid)
      return
    }
    const message = answer.kind === 'failed' ? answer.error : `HTTP ${answer.status}`
    const status = answer.kind === 'answered' ? { status: answer.status } : {}
    const error = new LogoutNotConfirmed(message, {
      attempt: step.delivery.attempts,
      final: step.kind !== 'again',
      ...status,
    })
    provider.emit('backchannel.error', undefined, error, client, accountId, sid)
  } catch (err) {
    logger.error({ event: 'provider_listener_failed', err }, 'a listener of the provider for back-channel logout threw')
  }
}
