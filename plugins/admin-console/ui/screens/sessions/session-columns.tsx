import type { LiveSession } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { askToEndSessions } from '../../actions/session-actions.ts'
import type { Column } from '../../list/list-table.tsx'
import { AllowedButton } from '../../parts/allowed-button.tsx'
import { CopyId } from '../../parts/copy-id.tsx'
import { pathWith } from '../../parts/links.tsx'
import { Time } from '../../parts/time.tsx'
import { hrefOf } from '../../routing/location.ts'

/** So many RPs are named in a row; the details name all. */
const MOST_NAMED = 2

export const SESSION_COLUMNS: readonly Column<LiveSession>[] = [
  {
    head: 'Account',
    kind: 'grow',
    cell: ({ accountId }) => (
      <a class="id-link" href={hrefOf(pathWith('/sessions', { account: accountId }))}>
        {accountId}
      </a>
    ),
  },
  { head: 'RPs', kind: 'grow', cell: ({ logins }) => <Logins logins={logins} /> },
  { head: 'Began', cell: ({ since }) => <Time at={since} none="unknown" /> },
  { head: 'Expires', cell: ({ expiresAt }) => <Time at={expiresAt} none="never" /> },
  { head: 'Session', cell: ({ uid }) => <CopyId id={uid} what="session uid" /> },
  {
    head: 'Actions',
    kind: 'actions',
    cell: ({ uid, accountId }) => (
      <AllowedButton
        small
        tone="danger"
        label={`End the session of ${accountId}, ${uid}`}
        onPress={() => askToEndSessions([uid], accountId, () => undefined)}
      >
        End…
      </AllowedButton>
    ),
  },
]

function Logins({ logins }: Pick<LiveSession, 'logins'>) {
  if (logins.length === 0) return <span class="hint">none</span>
  const named = logins.slice(0, MOST_NAMED)
  return (
    <span class="tags">
      {named.map(({ clientId, sid }) => (
        <span key={`${clientId} ${sid}`} class="tag">
          {clientId}
        </span>
      ))}
      {logins.length > named.length && <span class="hint">+{logins.length - named.length}</span>}
    </span>
  )
}
