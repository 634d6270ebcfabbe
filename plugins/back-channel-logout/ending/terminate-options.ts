import { OptionInvalidError } from '../../../lib/index.ts'
import {
  assertActor,
  assertCallback,
  assertClearText,
  assertFlag,
  assertKnown,
  assertReading,
} from '../recording/criteria.ts'
import { TERMINATION_REASONS, type TerminationReason } from './termination-events.ts'

/** Who ends sessions, and how. */
export interface TerminateOptions {
  /** Who does it: an operator's name, a ticket, a job. Kept in the log and in the receipts. */
  readonly actor: string
  /** Only counts what would end. Default: false. */
  readonly dryRun?: boolean
}

/** Who ends one session, and how. */
export interface TerminateSessionOptions extends TerminateOptions {
  /** Only if it is a session of this account; else it counts nothing, as one that never was. Default: whosever it is. */
  readonly account?: string
  /** What RPs may filter on: `single_session` where the user ends it from elsewhere. Default: `admin`. */
  readonly reason?: 'admin' | 'single_session'
}

/** How many sessions are ended by one call. */
export interface TerminateManyOptions extends TerminateOptions {
  /**
   * Called once the termination is recorded, with its id in `terminations()`: from now on it is carried out, whatever becomes
   * of this process. Not called by a dry run. The call rejects with what it throws; the termination goes on.
   */
  readonly onOrdered?: (id: string) => void
  /**
   * Called as it goes on, with what has ended so far; also counts what another process has ended for this call. The call
   * rejects with what it throws; the termination goes on.
   */
  readonly onProgress?: (soFar: TerminationProgress) => void
  /** Gives up waiting. The termination goes on; where it was aborted before the call, nothing is ordered. */
  readonly signal?: AbortSignal
}

/** The same, where the caller says why. */
export interface TerminateWithReasonOptions extends TerminateManyOptions {
  /**
   * What RPs may filter on (`backchannel_logout_initiators`), and which grants are revoked. `admin`, the default: those of
   * the sessions' logins without offline access. All others: every grant of the account, and RPs that hold nothing but a
   * grant are told as well.
   */
  readonly reason?: TerminationReason
}

/** The same, of an account. */
export interface TerminateAccountOptions extends TerminateWithReasonOptions {
  /**
   * The uid of a session that goes on, with its logins and the grants that these stand on: the one in which the user asks
   * for it. An RP that knows no sid of a login can only be told that all have ended.
   */
  readonly except?: string
}

/** What has ended so far. */
export interface TerminationProgress {
  readonly sessions: number
  readonly logins: number
  readonly grants: number
}

/** Checks what all of them take. @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertTerminateOptions(
  options: Omit<TerminateAccountOptions, 'reason'> & { readonly reason?: string },
  known: readonly (keyof TerminateAccountOptions | keyof TerminateSessionOptions)[],
  reasons: readonly string[] = TERMINATION_REASONS,
): void {
  if (typeof options !== 'object' || options === null)
    throw new OptionInvalidError('actor', 'is missing: say who does this, { actor }')
  assertKnown(options, known)
  const { actor, dryRun, reason, onOrdered, onProgress, signal } = options
  assertActor(actor)
  assertFlag('dryRun', dryRun)
  if (reason !== undefined && !reasons.includes(reason))
    throw new OptionInvalidError('reason', `must be one of ${reasons.join(', ')}`)
  if (options.except !== undefined) assertClearText('except', options.except)
  assertCallback('onOrdered', onOrdered)
  assertCallback('onProgress', onProgress)
  assertReading({ ...(signal !== undefined && { signal }) })
}
