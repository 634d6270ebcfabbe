import type { ParkedCommit } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { askToRetryParked } from '../../actions/delivery-actions.ts'
import type { Column } from '../../list/list-table.tsx'
import { PagedList } from '../../list/paged-list.tsx'
import { AllowedButton } from '../../parts/allowed-button.tsx'
import { ScreenHead } from '../../parts/screen-head.tsx'
import { Empty } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'

/** Commits that the planner could not read: whom they owe a logout is not known. */
export function Parked() {
  return (
    <>
      <ScreenHead title="Parked commits" hint="Commits that could not be planned: whom they owe a logout is not known.">
        <AllowedButton tone="primary" onPress={() => askToRetryParked({}, () => undefined)}>
          Plan all again…
        </AllowedButton>
      </ScreenHead>
      <PagedList<ParkedCommit>
        what="Parked commits"
        route="/parked"
        topics={['parked']}
        keyOf={({ position }) => String(position)}
        nameOf={({ position }) => `commit ${position}`}
        columns={COLUMNS}
        empty={<Empty title="None: every commit was planned" />}
      />
    </>
  )
}

const COLUMNS: readonly Column<ParkedCommit>[] = [
  { head: 'Commit', kind: 'number', cell: ({ position }) => position },
  { head: 'Why', kind: 'grow', cell: ({ failureReason }) => failureReason },
  { head: 'Parked', cell: ({ at }) => <Time at={at} /> },
  {
    head: 'Actions',
    kind: 'actions',
    cell: ({ position }) => (
      <AllowedButton
        small
        label={`Plan again: commit ${position}`}
        onPress={() => askToRetryParked({ position }, () => undefined)}
      >
        Plan again…
      </AllowedButton>
    ),
  },
]
