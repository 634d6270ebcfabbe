import type { DeadLetter, PendingDelivery } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { CopyId } from '../../parts/copy-id.tsx'
import { ClientLink, logoutPath } from '../../parts/links.tsx'
import { answerText, Pairs } from '../../parts/pairs.tsx'
import { exactTime } from '../../parts/time-text.ts'
import { reasonText } from '../../parts/words.ts'
import { hrefOf } from '../../routing/location.ts'

/** Everything that is known of a delivery that was not confirmed. */
export function DeliveryDetail({ delivery }: { readonly delivery: DeadLetter | PendingDelivery }) {
  const { clientId, sessionUid, sid, reason, endedAt, attempts, replays, status, error, answer } = delivery
  const again = replays > 0 ? `, since it was sent again ${replays === 1 ? 'once' : `${replays} times`}` : ''
  return (
    <div class="detail">
      <Pairs
        rows={[
          ['RP', <ClientLink id={clientId} />],
          ['Session uid', <CopyId id={sessionUid} what="session uid" />],
          ['sid', <CopyId id={sid} what="sid" />],
          ['Ended', `${exactTime(endedAt)}: ${reasonText(reason)}`],
          ['Attempts', `${attempts}${again}`],
          ['Last status', status],
          ['Last error', error],
          ['Last answer', answerText(answer)],
        ]}
      />
      <a href={hrefOf(logoutPath(sessionUid))}>Timeline of this logout</a>
    </div>
  )
}
