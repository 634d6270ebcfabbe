import type {
  BackChannelLogout,
  TerminateManyOptions,
  TerminationReport,
} from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { inParallel } from '../../../lib/in-parallel.ts'
import type { TerminateRequest } from '../api/contract.ts'
import type { NewOperation, OperationControl } from './operations.ts'

/** So many sessions are ended at a time. */
const AT_ONCE = 8

/** Ends sessions: one by one where they are named, else by one order. */
export function terminate(logout: BackChannelLogout, request: TerminateRequest, actor: string): NewOperation {
  const { dryRun = false } = request
  return {
    kind: 'terminate',
    dryRun,
    request,
    actor,
    run: (control) =>
      'sessions' in request.target
        ? endEach(logout, request.target.sessions, { actor, dryRun }, control)
        : endMany(logout, request, { actor, dryRun }, control),
  }
}

async function endEach(
  logout: BackChannelLogout,
  uids: readonly string[],
  options: { readonly actor: string; readonly dryRun: boolean },
  { signal, progress }: OperationControl,
): Promise<TerminationReport> {
  const distinct = [...new Set(uids)]
  let report: TerminationReport = { sessions: 0, logins: 0, grants: 0, failed: 0 }
  let done = 0
  await inParallel(distinct, AT_ONCE, async (uid) => {
    signal.throwIfAborted()
    report = plus(report, await logout.terminateSession(uid, options))
    done += 1
    progress({ done, of: distinct.length, ...counts(report) })
  })
  return report
}

function endMany(
  logout: BackChannelLogout,
  { target, reason }: TerminateRequest,
  options: { readonly actor: string; readonly dryRun: boolean },
  { signal, progress, ordered }: OperationControl,
): Promise<TerminationReport> {
  const how: TerminateManyOptions = {
    ...options,
    signal,
    onOrdered: ordered,
    onProgress: (soFar) => progress({ done: soFar.sessions, ...soFar }),
  }
  const why = reason === undefined ? {} : { reason }
  if ('account' in target) return logout.terminateAccount(target.account, { ...how, ...why })
  if ('client' in target) return logout.terminateClient(target.client, how)
  return logout.terminateAll({ ...how, ...why })
}

function plus(a: TerminationReport, b: TerminationReport): TerminationReport {
  return {
    sessions: a.sessions + b.sessions,
    logins: a.logins + b.logins,
    grants: a.grants + b.grants,
    failed: a.failed + b.failed,
  }
}

function counts({ sessions, logins, grants }: TerminationReport) {
  return { sessions, logins, grants }
}
