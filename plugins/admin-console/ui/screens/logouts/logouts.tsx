import type { Receipt } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { useMemo } from 'preact/hooks'
import { now } from '../../browser/clock.ts'
import type { Column } from '../../list/list-table.tsx'
import { PagedList } from '../../list/paged-list.tsx'
import { Chip } from '../../parts/chip.tsx'
import { shortened } from '../../parts/copy-id.tsx'
import { ChoiceField, FilterBar, SearchField, SinceField, sinceOf } from '../../parts/filter-bar.tsx'
import { logoutPath } from '../../parts/links.tsx'
import { ScreenHead } from '../../parts/screen-head.tsx'
import { Empty } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'
import { duration } from '../../parts/time-text.ts'
import { TwoLines } from '../../parts/two-lines.tsx'
import { reasonText, toneOf } from '../../parts/words.ts'
import { hrefOf, inQuery } from '../../routing/location.ts'

const STATES = ['pending', 'confirmed', 'rejected', 'abandoned', 'superseded'] as const

/** The sessions that ended, or logins in them, and what became of each RP. */
export function Logouts() {
  const within = inQuery('within')
  const since = useMemo(() => sinceOf(within, now()), [within])
  const filter = {
    account: inQuery('account'),
    client: inQuery('client'),
    state: inQuery('state'),
    since,
  }
  const isFiltered = Object.values(filter).some((value) => value !== undefined)
  return (
    <>
      <ScreenHead title="Logouts" hint="Sessions that ended, the newest first, and whether each RP was told." />
      <FilterBar label="Filter logouts">
        <SearchField name="account" label="Account id" placeholder="A whole id" isMain />
        <SearchField name="client" label="Client id" placeholder="A whole id" />
        <ChoiceField
          name="state"
          label="With an RP that is"
          choices={[['', 'In any state'], ...STATES.map((state) => [state, state] as const)]}
        />
        <SinceField />
      </FilterBar>
      <PagedList<Receipt>
        what="Logouts"
        route="/logouts"
        query={filter}
        topics={['logouts']}
        keyOf={({ sessionUid }) => sessionUid}
        nameOf={({ sessionUid }) => sessionUid}
        columns={COLUMNS}
        empty={
          isFiltered ? <Empty title="No logout is found by this filter" /> : <Empty title="Nobody has logged out yet" />
        }
      />
    </>
  )
}

const COLUMNS: readonly Column<Receipt>[] = [
  {
    head: 'Ended',
    cell: ({ ends }) => {
      const at = lastOf(ends)?.at
      return <Time at={at} none="unknown" />
    },
  },
  {
    head: 'Session',
    cell: ({ sessionUid }) => (
      <a class="id-link" href={hrefOf(logoutPath(sessionUid))} data-row title={sessionUid}>
        <code>{shortened(sessionUid)}</code>
      </a>
    ),
  },
  {
    head: 'Why',
    kind: 'grow',
    cell: ({ ends }) => {
      const end = lastOf(ends)
      if (!end) return 'unknown'
      return (
        <TwoLines
          main={reasonText(end.reason)}
          sub={[end.actor === undefined ? '' : `by ${end.actor}`, end.scope === 'logins' ? 'single logins' : '']
            .filter((part) => part !== '')
            .join(' · ')}
        />
      )
    },
  },
  { head: 'RPs', kind: 'grow', cell: (receipt) => <States receipt={receipt} /> },
  {
    head: 'Time to logout',
    kind: 'number',
    cell: ({ ends }) => {
      const ms = lastOf(ends)?.timeToLogoutMs
      return ms === undefined ? '–' : duration(ms)
    },
  },
]

function States({ receipt }: { readonly receipt: Receipt }) {
  const counts = new Map<string, number>()
  for (const { relyingParties } of receipt.ends)
    for (const { state } of relyingParties) counts.set(state, (counts.get(state) ?? 0) + 1)
  if (counts.size === 0) return <span class="hint">nobody to be told</span>
  return (
    <span class="tags">
      {[...counts].map(([state, count]) => (
        <Chip key={state} tone={toneOf(state)} text={`${count} ${state}`} />
      ))}
    </span>
  )
}

function lastOf(ends: Receipt['ends']): Receipt['ends'][number] | undefined {
  return ends.at(-1)
}
