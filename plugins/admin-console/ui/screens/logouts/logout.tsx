import type { ReceiptEntry } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { LogoutDetail } from '../../../api/contract.ts'
import { askToReplay } from '../../actions/delivery-actions.ts'
import { AllowedButton } from '../../parts/allowed-button.tsx'
import { Chip } from '../../parts/chip.tsx'
import { CopyId } from '../../parts/copy-id.tsx'
import { Crumb } from '../../parts/crumb.tsx'
import { Icon } from '../../parts/icon.tsx'
import { ClientLink } from '../../parts/links.tsx'
import { ResourceView } from '../../parts/resource-view.tsx'
import { ScreenHead } from '../../parts/screen-head.tsx'
import { Empty } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'
import { duration } from '../../parts/time-text.ts'
import { failureText, reasonText, toneOf } from '../../parts/words.ts'
import { inQuery } from '../../routing/location.ts'
import { apiUrl } from '../../server/request.ts'
import { Timeline } from './timeline.tsx'

const TOPICS = ['logouts', 'dead_letters'] as const

/** What became of the logout of a session: RP by RP, and everything that happened. */
export function Logout() {
  const session = inQuery('session') ?? ''
  return <LogoutOf key={session} session={session} />
}

function LogoutOf({ session }: { readonly session: string }) {
  const sessionId = (
    <>
      Session uid <CopyId id={session} what="session uid" />
    </>
  )
  return (
    <ResourceView<LogoutDetail>
      url={apiUrl('/logouts/one', { session })}
      topics={TOPICS}
      what="the logout"
      head={() => (
        <>
          <Crumb to="/logouts" text="Logouts" />
          <ScreenHead title="Logout of a session" hint={sessionId} />
        </>
      )}
    >
      {({ receipt: { ends }, timeline }, reload) => (
        <>
          {ends.length === 0 && <NotEnded isKnown={timeline.entries.length > 0} />}
          {ends.map((end) => (
            <End key={`${end.at} ${end.reason}`} end={end} session={session} reload={reload} />
          ))}
          {timeline.entries.length > 0 && <Timeline timeline={timeline} />}
        </>
      )}
    </ResourceView>
  )
}

function NotEnded({ isKnown }: { readonly isKnown: boolean }) {
  if (isKnown)
    return (
      <p class="notice">
        <Icon name="clock" /> It has not ended: this is what happened so far.
      </p>
    )
  return (
    <Empty title="Nothing is known of this session">
      <p>It has no login that back-channel logout recorded, or it ended so long ago that retention has removed it.</p>
    </Empty>
  )
}

interface EndProps {
  readonly end: LogoutDetail['receipt']['ends'][number]
  readonly session: string
  readonly reload: () => void
}

function End({ end, session, reload }: EndProps) {
  const { reason, at, scope, actor, initiatingClient, relyingParties, timeToLogoutMs } = end
  return (
    <section class="panel" aria-label={reasonText(reason)}>
      <h2>{reasonText(reason)}</h2>
      <p class="hint">
        <Time at={at} /> · {scope === 'session' ? 'the whole session' : 'single logins'}
        {actor !== undefined && ` · by ${actor}`}
        {initiatingClient !== undefined && ` · asked for by ${initiatingClient}`}
      </p>
      {timeToLogoutMs !== undefined && relyingParties.length > 0 && (
        <p>
          <Chip tone="good" text={`everybody told within ${duration(timeToLogoutMs)}`} />
        </p>
      )}
      {relyingParties.length === 0 ? (
        <p>Nobody was to be told.</p>
      ) : (
        <div class="table-frame">
          <table>
            <caption class="visually-hidden">RPs that were to be told</caption>
            <thead>
              <tr>
                <th scope="col">RP</th>
                <th scope="col">State</th>
                <th scope="col" class="number">
                  Attempts
                </th>
                <th scope="col" class="grow">
                  What is known
                </th>
                <th scope="col" class="actions">
                  <span class="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {relyingParties.map((entry) => (
                <EntryRow key={entry.delivery} entry={entry} session={session} reload={reload} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}

function EntryRow({ entry, session, reload }: { readonly entry: ReceiptEntry } & Pick<EndProps, 'session' | 'reload'>) {
  const { clientId, state, attempts, delivery, replays = 0 } = entry
  const isDead = state === 'rejected' || state === 'abandoned'
  return (
    <tr>
      <td data-head="RP">
        <ClientLink id={clientId} />
      </td>
      <td data-head="State">
        <Chip tone={toneOf(state)} text={state} />
      </td>
      <td data-head="Attempts" class="number">
        {attempts}
        {replays > 0 && <span class="hint"> since {replays === 1 ? '1 replay' : `${replays} replays`}</span>}
      </td>
      <td data-head="What is known" class="grow">
        <Known entry={entry} />
      </td>
      <td data-head="Actions" class="actions">
        {isDead && (
          <AllowedButton
            small
            label={`Send again to ${clientId}`}
            onPress={() =>
              askToReplay({ letters: [{ delivery, sessionUid: session }] }, `this logout to ${clientId}`, reload)
            }
          >
            Send again…
          </AllowedButton>
        )}
      </td>
    </tr>
  )
}

function Known({
  entry: { state, at, status, failureReason, nextAttemptAt, timeToLogoutMs },
}: {
  readonly entry: ReceiptEntry
}) {
  return (
    <>
      {timeToLogoutMs !== undefined && `told after ${duration(timeToLogoutMs)}`}
      {failureReason !== undefined && failureText(failureReason)}
      {status !== undefined && !failureReason?.includes(String(status)) && <span class="hint"> status {status}</span>}
      {nextAttemptAt !== undefined && (
        <span class="hint">
          {' '}
          · next try <Time at={nextAttemptAt} />
        </span>
      )}
      {at !== undefined && state !== 'confirmed' && (
        <span class="hint">
          {' '}
          · <Time at={at} />
        </span>
      )}
    </>
  )
}
