import type { AccountKeys, KeyRing, NewEvent } from '../../../lib/index.ts'
import type { ToldClient } from '../clients/told-clients.ts'
import { endStreams, terminationStream } from '../recording/index-streams.ts'
import { registrationOf } from '../recording/registration.ts'
import { type Terminated, toEvent } from '../recording/session-logout-events.ts'
import type { TerminationJob } from './termination-job.ts'

/** What stands in the place of a session uid where an RP holds a grant and no session: `grant:` and a hash. */
export function uidOfGrant(keys: KeyRing, grantId: string): string {
  return keys.streams('grant', grantId)[0]
}

export function isUidOfGrant(uid: string): boolean {
  return uid.startsWith('grant:')
}

/**
 * The facts for an RP that holds only a live grant (offline access, CIBA, a pre-authorized code): a login without a sid,
 * and its end. Its logout token ends all that the account has there.
 */
export async function grantLogout(
  keys: AccountKeys,
  issuer: string,
  { id, reason, actor }: Pick<TerminationJob, 'id' | 'reason' | 'actor'>,
  grant: { readonly id: string; readonly accountId: string; readonly client: ToldClient },
): Promise<NewEvent[]> {
  const { accountId, client } = grant
  const uid = uidOfGrant(keys.ring, grant.id)
  const end: Terminated = {
    type: 'session_logout.terminated',
    triggered_at_origin: issuer,
    reason,
    scope: 'session',
    logins: 1,
    actor,
  }
  return [
    await registrationOf(keys, issuer, {
      ...{ uid, clientId: client.clientId, sid: '', includeSid: false, accountId },
      client: client.isUncertain ? undefined : client,
    }),
    toEvent(uid, end, [...endStreams(keys.ring, issuer, accountId, [client.clientId]), terminationStream(id)]),
  ]
}
