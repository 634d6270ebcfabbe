import type { LiveSession } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { useMemo } from 'preact/hooks'
import { askToEndAccount, askToEndAll, askToEndClient, askToEndSessions } from '../../actions/session-actions.ts'
import { PagedList } from '../../list/paged-list.tsx'
import { Selection } from '../../list/selection.ts'
import { SelectionBar } from '../../list/selection-bar.tsx'
import { AllowedButton } from '../../parts/allowed-button.tsx'
import { ScreenHead } from '../../parts/screen-head.tsx'
import { Empty } from '../../parts/states.tsx'
import { counted } from '../../parts/words.ts'
import { inQuery } from '../../routing/location.ts'
import { me } from '../../shell/me.ts'
import { SESSION_COLUMNS } from './session-columns.tsx'
import { SessionDetail } from './session-detail.tsx'
import { SessionFilter } from './session-filter.tsx'

/** One request of the server takes so many sessions. */
const MOST_AT_ONCE = 500

/** The live sessions: of an account, with a login at an RP, or all. */
export function Sessions() {
  const account = inQuery('account')
  const client = account === undefined ? inQuery('client') : undefined
  const selection = useMemo(() => new Selection<LiveSession>(MOST_AT_ONCE), [])
  const clear = () => selection.clear()
  return (
    <>
      <ScreenHead title="Sessions" hint="Live sessions at the OP, and the RPs that have a login of each.">
        <EndMany account={account} client={client} />
      </ScreenHead>
      <SessionFilter account={account} client={client} />
      <PagedList<LiveSession>
        what="Sessions"
        route="/sessions"
        query={{ account, client }}
        topics={['sessions']}
        keyOf={({ uid }) => uid}
        nameOf={({ uid, accountId }) => `the session of ${accountId}, ${uid}`}
        columns={SESSION_COLUMNS}
        detail={(session) => <SessionDetail session={session} />}
        selection={selection}
        empty={<Nobody account={account} client={client} />}
      />
      <SelectionBar selection={selection} one="session">
        <AllowedButton
          tone="danger"
          onPress={() => {
            const uids = selection.rows.map(({ uid }) => uid)
            askToEndSessions(uids, selection.rows[0]?.accountId ?? '', clear)
          }}
        >
          End {counted(selection.size, 'session')}…
        </AllowedButton>
      </SelectionBar>
    </>
  )
}

interface Scope {
  readonly account: string | undefined
  readonly client: string | undefined
}

function EndMany({ account, client }: Scope) {
  const reasons = me.value?.reasons ?? []
  const nothing = () => undefined // the stream of changes brings the list up to date
  if (account !== undefined)
    return (
      <AllowedButton tone="danger" onPress={() => askToEndAccount(account, reasons, nothing)}>
        End all of {account}…
      </AllowedButton>
    )
  if (client !== undefined)
    return (
      <AllowedButton tone="danger" onPress={() => askToEndClient(client, nothing)}>
        End all logins at {client}…
      </AllowedButton>
    )
  return (
    <AllowedButton tone="danger" onPress={() => askToEndAll(reasons, nothing)}>
      End every session…
    </AllowedButton>
  )
}

function Nobody({ account, client }: Scope) {
  if (account !== undefined) return <Empty title={`${account} has no live session`} />
  if (client !== undefined)
    return (
      <Empty title={`No live session has a login at ${client}`}>
        <p>Only logins that were recorded while back-channel logout was on are found by their RP.</p>
      </Empty>
    )
  return <Empty title="Nobody is logged in" />
}
