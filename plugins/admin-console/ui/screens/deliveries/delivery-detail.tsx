import type { DeadLetter, PendingDelivery } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { CopyId } from '../../parts/copy-id.tsx'
import { ClientLink, logoutPath } from '../../parts/links.tsx'
import { exactTime } from '../../parts/time-text.ts'
import { reasonText } from '../../parts/words.ts'
import { hrefOf } from '../../routing/location.ts'

/** Everything that is known of a delivery that was not confirmed. */
export function DeliveryDetail({ delivery }: { readonly delivery: DeadLetter | PendingDelivery }) {
  const { clientId, sessionUid, sid, reason, endedAt, attempts, replays, status, error, answer } = delivery
  return (
    <div class="detail">
      <dl class="pairs">
        <dt>RP</dt>
        <dd>
          <ClientLink id={clientId} />
        </dd>
        <dt>Session uid</dt>
        <dd>
          <CopyId id={sessionUid} what="session uid" />
        </dd>
        <dt>sid</dt>
        <dd>
          <CopyId id={sid} what="sid" />
        </dd>
        <dt>Ended</dt>
        <dd>
          {exactTime(endedAt)}: {reasonText(reason)}
        </dd>
        <dt>Attempts</dt>
        <dd>
          {attempts}
          {replays > 0 && `, since it was sent again ${replays === 1 ? 'once' : `${replays} times`}`}
        </dd>
        {status !== undefined && (
          <>
            <dt>Last status</dt>
            <dd>{status}</dd>
          </>
        )}
        {error !== undefined && (
          <>
            <dt>Last error</dt>
            <dd>{error}</dd>
          </>
        )}
        {answer !== undefined && (
          <>
            <dt>Last answer</dt>
            <dd>{answer === '' ? 'empty' : <pre>{answer}</pre>}</dd>
          </>
        )}
      </dl>
      <a href={hrefOf(logoutPath(sessionUid))}>Timeline of this logout</a>
    </div>
  )
}
