import type { PendingDelivery } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { askToRetryNow } from '../../actions/delivery-actions.ts'
import type { Column } from '../../list/list-table.tsx'
import { PagedList } from '../../list/paged-list.tsx'
import { AllowedButton } from '../../parts/allowed-button.tsx'
import { Chip } from '../../parts/chip.tsx'
import { ExportLinks } from '../../parts/export-links.tsx'
import { FilterBar, SearchField } from '../../parts/filter-bar.tsx'
import { ClientLink } from '../../parts/links.tsx'
import { ScreenHead } from '../../parts/screen-head.tsx'
import { Empty } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'
import { inQuery } from '../../routing/location.ts'
import { DeliveryDetail } from './delivery-detail.tsx'
import { LastAnswer } from './last-answer.tsx'

/** Logout tokens that are still to be sent. */
export function Pending() {
  const filter = { q: inQuery('q'), client: inQuery('client') }
  const { client } = filter
  const isFiltered = filter.q !== undefined || client !== undefined
  return (
    <>
      <ScreenHead title="Pending" hint="Logouts that RPs are still to be told, by RP, those due first.">
        <ExportLinks list="pending" query={filter} />
        <AllowedButton
          onPress={() => client !== undefined && askToRetryNow(client, () => undefined)}
          refusal={client === undefined ? 'Filter for one RP first: it is tried RP by RP.' : undefined}
        >
          {client === undefined ? 'Try now…' : `Try ${client} now…`}
        </AllowedButton>
      </ScreenHead>
      <FilterBar label="Filter pending deliveries">
        <SearchField name="q" label="Search" placeholder="Id, error or answer" isMain />
        <SearchField name="client" label="Client id" placeholder="A whole id" />
      </FilterBar>
      <PagedList<PendingDelivery>
        what="Pending deliveries"
        route="/pending"
        query={filter}
        topics={['logouts']}
        keyOf={({ delivery, sessionUid }) => `${sessionUid} ${delivery}`}
        nameOf={({ clientId, sessionUid }) => `the logout of ${sessionUid} at ${clientId}`}
        columns={COLUMNS}
        detail={(delivery) => <DeliveryDetail delivery={delivery} />}
        empty={<Empty title={isFiltered ? 'Nothing that is pending is found by this filter' : 'Nothing is pending'} />}
      />
    </>
  )
}

const COLUMNS: readonly Column<PendingDelivery>[] = [
  { head: 'RP', kind: 'grow', cell: ({ clientId }) => <ClientLink id={clientId} /> },
  {
    head: 'Due',
    cell: ({ dueAt, inHand }) =>
      inHand ? <Chip tone="busy" text="being sent" /> : dueAt <= 0 ? 'at once' : <Time at={dueAt} />,
  },
  { head: 'Attempts', kind: 'number', cell: ({ attempts }) => attempts },
  { head: 'Last answer', kind: 'grow', cell: (delivery) => <LastAnswer {...delivery} /> },
  { head: 'Ended', cell: ({ endedAt }) => <Time at={endedAt} /> },
  { head: 'Given up', cell: ({ expiresAt }) => <Time at={expiresAt} /> },
]
