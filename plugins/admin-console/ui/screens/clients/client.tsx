import type { ClientDetail } from '../../../api/contract.ts'
import { askToPause, askToResume, askToRetryNow } from '../../actions/delivery-actions.ts'
import { askToEndClient } from '../../actions/session-actions.ts'
import { AllowedButton } from '../../parts/allowed-button.tsx'
import { Crumb } from '../../parts/crumb.tsx'
import { logoutPath, pathWith } from '../../parts/links.tsx'
import { ResourceView } from '../../parts/resource-view.tsx'
import { ScreenHead } from '../../parts/screen-head.tsx'
import { Tile } from '../../parts/tile.tsx'
import { Time } from '../../parts/time.tsx'
import { duration } from '../../parts/time-text.ts'
import { number } from '../../parts/words.ts'
import { inQuery } from '../../routing/location.ts'
import { apiUrl } from '../../server/request.ts'
import { ClientSettingsView } from './client-settings.tsx'
import { ClientStanding } from './client-standing.tsx'
import { ClientTestPanel } from './client-test.tsx'
import { successText } from './clients.tsx'

const TOPICS = ['clients', 'logouts', 'dead_letters'] as const

/** One RP: how it does, what can be done for it, and what it says of back-channel logout. */
export function Client() {
  const client = inQuery('client') ?? ''
  return <ClientOf key={client} client={client} />
}

function ClientOf({ client }: { readonly client: string }) {
  return (
    <ResourceView<ClientDetail>
      url={apiUrl('/clients/one', { client })}
      topics={TOPICS}
      what={client}
      head={(value, reload) => (
        <>
          <Crumb to="/clients" text="Relying parties" />
          <ScreenHead title={client} hint={value?.settings.clientName}>
            {value && <Actions client={value} reload={reload} />}
          </ScreenHead>
        </>
      )}
    >
      {(value, reload) => (
        <>
          <Standing client={value} />
          <ClientFigures client={value} />
          <ClientTestPanel client={client} />
          <ClientSettingsView detail={value} reload={reload} />
          <section class="panel" aria-labelledby="client-more">
            <h2 id="client-more">End logins</h2>
            <p class="hint">Ends every login at this RP alone. The sessions live on.</p>
            <AllowedButton tone="danger" onPress={() => askToEndClient(client, reload)}>
              End all logins here…
            </AllowedButton>
          </section>
        </>
      )}
    </ResourceView>
  )
}

function Actions({ client, reload }: { readonly client: ClientDetail; readonly reload: () => void }) {
  const { clientId, paused, pending } = client
  return (
    <>
      <AllowedButton
        onPress={() => askToRetryNow(clientId, reload)}
        refusal={pending === 0 ? 'Nothing waits for this RP.' : paused ? 'It is paused: resume it first.' : undefined}
      >
        Try now…
      </AllowedButton>
      {paused ? (
        <AllowedButton tone="primary" onPress={() => askToResume(clientId, reload)}>
          Resume…
        </AllowedButton>
      ) : (
        <AllowedButton onPress={() => askToPause(clientId, reload)}>Pause…</AllowedButton>
      )}
    </>
  )
}

function Standing({ client }: { readonly client: ClientDetail }) {
  const { paused, circuit, settings } = client
  return (
    <div class="standing">
      <ClientStanding client={client} />
      {paused && (
        <span>
          by {paused.actor}, <Time at={paused.at} />
        </span>
      )}
      {!paused && circuit === 'open' && (
        <span>It fails again and again: this process only probes it now and then.</span>
      )}
      {settings.problem !== undefined && <span class="problem-text">It is not told: {settings.problem}</span>}
    </div>
  )
}

function ClientFigures({ client }: { readonly client: ClientDetail }) {
  const { clientId, pending, oldestPendingAt, oldestPendingSession, statistics, statisticsLeftOut } = client
  const pendingPath = pathWith('/pending', { client: clientId })
  const notCounted = statisticsLeftOut && 'Not counted: too many RPs'
  const lost = (statistics?.rejected ?? 0) + (statistics?.abandoned ?? 0)
  return (
    <dl class="tiles six">
      <Tile label="Pending" value={pending === undefined ? '–' : number(pending)} to={pendingPath} />
      <Tile
        label="Oldest pending"
        value={<Time at={oldestPendingAt} none={pending === undefined ? '–' : 'None'} />}
        to={oldestPendingSession === undefined ? pendingPath : logoutPath(oldestPendingSession)}
      />
      <Tile
        label="Success"
        value={successText(statistics?.successRate)}
        hint={
          statistics
            ? `${number(statistics.confirmed)} confirmed, ${number(statistics.attemptsFailed)} failed`
            : (notCounted ?? 'Nothing was sent')
        }
        to={pathWith('/logouts', { client: clientId })}
      />
      <Tile
        label="Latency"
        value={statistics?.latencyMs ? duration(statistics.latencyMs.p50) : '–'}
        hint={
          statistics?.latencyMs
            ? `p50; p95 ${duration(statistics.latencyMs.p95)}`
            : (notCounted ?? 'No attempt confirmed')
        }
      />
      <Tile
        label="Time to logout"
        value={statistics?.timeToLogoutMs ? duration(statistics.timeToLogoutMs.p50) : '–'}
        hint={
          statistics?.timeToLogoutMs
            ? `p50; p95 ${duration(statistics.timeToLogoutMs.p95)}`
            : (notCounted ?? 'No logout confirmed')
        }
      />
      <Tile
        label="New dead letters"
        hint={notCounted ?? 'Last 24 hours'}
        value={notCounted ? '–' : number(lost)}
        tone={lost > 0 ? 'warn' : undefined}
        to={pathWith('/dead-letters', { client: clientId })}
      />
    </dl>
  )
}
