import type { ClientRow } from '../../../api/contract.ts'
import type { Column } from '../../list/list-table.tsx'
import { PagedList } from '../../list/paged-list.tsx'
import { FilterBar, SearchField } from '../../parts/filter-bar.tsx'
import { ClientLink } from '../../parts/links.tsx'
import { ScreenHead } from '../../parts/screen-head.tsx'
import { Empty } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'
import { duration } from '../../parts/time-text.ts'
import { number, percent } from '../../parts/words.ts'
import { inQuery } from '../../routing/location.ts'
import { ClientStanding } from './client-standing.tsx'

/** The RPs, and how each does. */
export function Clients() {
  const q = inQuery('q')
  return (
    <>
      <ScreenHead title="Relying parties" hint="By client id; figures are of the last 24 hours." />
      <FilterBar label="Filter relying parties">
        <SearchField name="q" label="Client id" placeholder="Part of an id, or a whole one" isMain />
      </FilterBar>
      <PagedList<ClientRow>
        what="Relying parties"
        route="/clients"
        query={{ q }}
        topics={['clients', 'logouts', 'dead_letters']}
        keyOf={({ clientId }) => clientId}
        nameOf={({ clientId }) => clientId}
        columns={COLUMNS}
        empty={
          q === undefined ? (
            <Empty title="No RP yet">
              <p>
                An RP appears here once it has a login while back-channel logout is on, or once it is owed a logout.
              </p>
            </Empty>
          ) : (
            <Empty title={`No RP has “${q}” in its client id`} />
          )
        }
      />
    </>
  )
}

const COLUMNS: readonly Column<ClientRow>[] = [
  { head: 'Client', kind: 'grow', cell: ({ clientId }) => <ClientLink id={clientId} isRow /> },
  { head: 'State', cell: (row) => <ClientStanding client={row} /> },
  {
    head: 'Pending',
    kind: 'number',
    cell: ({ pending }) => <Count count={pending} />,
  },
  {
    head: 'Oldest pending',
    cell: ({ oldestPendingAt }) => <Time at={oldestPendingAt} />,
  },
  { head: 'Success', kind: 'number', cell: ({ statistics }) => successText(statistics?.successRate) },
  {
    head: 'Latency p50, p95',
    kind: 'number',
    cell: ({ statistics }) => pairText(statistics?.latencyMs),
  },
  {
    head: 'To logout p95',
    kind: 'number',
    cell: ({ statistics }) => (statistics?.timeToLogoutMs ? duration(statistics.timeToLogoutMs.p95) : '–'),
  },
  {
    head: 'Given up',
    kind: 'number',
    cell: ({ statistics, statisticsLeftOut }) => (
      <Count count={statisticsLeftOut ? undefined : (statistics?.rejected ?? 0) + (statistics?.abandoned ?? 0)} />
    ),
  },
]

/** A zero is quiet, so that the others are seen. */
function Count({ count }: { readonly count: number | undefined }) {
  if (count === undefined) return <>–</>
  return count === 0 ? <span class="hint">0</span> : <strong>{number(count)}</strong>
}

export function successText(rate: number | undefined): string {
  return rate === undefined ? '–' : percent(rate)
}

export function pairText(percentiles: { readonly p50: number; readonly p95: number } | undefined): string {
  return percentiles ? `${duration(percentiles.p50)} · ${duration(percentiles.p95)}` : '–'
}
