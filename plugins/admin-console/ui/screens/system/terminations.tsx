import type { TerminationStatus } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { Column } from '../../list/list-table.tsx'
import { PagedList } from '../../list/paged-list.tsx'
import { Chip } from '../../parts/chip.tsx'
import { CopyId } from '../../parts/copy-id.tsx'
import { ScreenHead } from '../../parts/screen-head.tsx'
import { Empty } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'
import { duration } from '../../parts/time-text.ts'
import { TwoLines } from '../../parts/two-lines.tsx'
import { counted, number, reasonText, toneOf } from '../../parts/words.ts'
import { RunningOperations } from './running-operations.tsx'

/** Ends of many sessions that were ordered, and how far each is. */
export function Terminations() {
  return (
    <>
      <ScreenHead title="Terminations" hint="Ends of many sessions that somebody ordered, by whichever process." />
      <RunningOperations />
      <PagedList<TerminationStatus>
        what="Terminations"
        route="/terminations"
        topics={['terminations']}
        keyOf={({ id }) => id}
        nameOf={({ id }) => `termination ${id}`}
        columns={COLUMNS}
        empty={<Empty title="Nobody has ordered one" />}
      />
    </>
  )
}

const COLUMNS: readonly Column<TerminationStatus>[] = [
  { head: 'Of', kind: 'grow', cell: (row) => scopeText(row) },
  { head: 'State', cell: ({ state }) => <Chip tone={toneOf(state)} text={state} /> },
  {
    head: 'Ended',
    cell: ({ clientId, sessions, logins, grants, failed }) => (
      <TwoLines
        main={
          <span class="tags">
            {clientId === undefined ? counted(sessions, 'session') : counted(logins, 'login')}
            {failed > 0 && <Chip tone="bad" text={`${number(failed)} failed`} />}
          </span>
        }
        sub={`${clientId === undefined ? counted(logins, 'login') : `of ${counted(sessions, 'session')}`}, ${counted(grants, 'grant')}`}
      />
    ),
  },
  {
    head: 'Why',
    kind: 'grow',
    cell: ({ reason, actor }) => <TwoLines main={reasonText(reason)} sub={`by ${actor}`} />,
  },
  {
    head: 'Ordered',
    cell: ({ orderedAt, completedAt }) => (
      <TwoLines
        main={<Time at={orderedAt} />}
        sub={completedAt === undefined ? '' : `took ${duration(completedAt - orderedAt)}`}
      />
    ),
  },
  { head: 'Id', cell: ({ id }) => <CopyId id={id} what="termination id" /> },
]

/** Where a client is named, its logins end, and the sessions live on. */
function scopeText({ of, accountId = 'an account that is forgotten', clientId, except }: TerminationStatus): string {
  switch (of) {
    case 'account':
      if (clientId !== undefined) return `Logins of ${accountId} at ${clientId}`
      return `All sessions of ${accountId}${except === undefined ? '' : ' but one'}`
    case 'client':
      return `All logins at ${clientId ?? 'an RP'}`
    case 'all':
      return 'Every session'
  }
}
