import type { DeadLetter } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { useMemo } from 'preact/hooks'
import type { DeadLettersQuery, PageQuery } from '../../../api/contract.ts'
import { askToReplay } from '../../actions/delivery-actions.ts'
import { now } from '../../browser/clock.ts'
import type { Column } from '../../list/list-table.tsx'
import { PagedList } from '../../list/paged-list.tsx'
import { Selection } from '../../list/selection.ts'
import { SelectionBar } from '../../list/selection-bar.tsx'
import { AllowedButton } from '../../parts/allowed-button.tsx'
import { Chip } from '../../parts/chip.tsx'
import { ExportLinks } from '../../parts/export-links.tsx'
import { ChoiceField, FilterBar, SearchField, SinceField, sinceOf } from '../../parts/filter-bar.tsx'
import { ClientLink } from '../../parts/links.tsx'
import { ScreenHead } from '../../parts/screen-head.tsx'
import { Empty } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'
import { TwoLines } from '../../parts/two-lines.tsx'
import { counted, FAILURE_REASONS, failureText, toneOf } from '../../parts/words.ts'
import { inQuery } from '../../routing/location.ts'
import { DeliveryDetail } from './delivery-detail.tsx'
import { LastAnswer } from './last-answer.tsx'

/** One request of the server takes so many dead letters. */
const MOST_AT_ONCE = 100

/** What RPs were not told, and nobody tries to tell them any more. */
export function DeadLetters() {
  const filter = useFilter()
  const isFiltered = Object.values(filter).some((value) => value !== undefined)
  const selection = useMemo(() => new Selection<DeadLetter>(MOST_AT_ONCE), [])
  const clear = () => selection.clear()
  return (
    <>
      <ScreenHead title="Dead letters" hint="Logouts that an RP was not told, and that nobody tries any more.">
        <ExportLinks list="dead-letters" query={filter} />
        <AllowedButton
          tone="primary"
          onPress={() =>
            askToReplay(
              { matching: present(filter) },
              isFiltered ? 'all that the filter finds' : 'all dead letters',
              clear,
            )
          }
        >
          {isFiltered ? 'Send all of the filter again…' : 'Send all again…'}
        </AllowedButton>
      </ScreenHead>
      <FilterBar label="Filter dead letters">
        <SearchField name="q" label="Search" placeholder="Id, error or answer" isMain />
        <SearchField name="client" label="Client id" placeholder="A whole id" />
        <ChoiceField
          name="failureReason"
          label="Why"
          choices={[['', 'For any reason'], ...FAILURE_REASONS.map((reason) => [reason, failureText(reason)] as const)]}
        />
        <SinceField />
      </FilterBar>
      <PagedList<DeadLetter>
        what="Dead letters"
        route="/dead-letters"
        query={filter}
        topics={['dead_letters']}
        keyOf={({ delivery, sessionUid }) => `${sessionUid} ${delivery}`}
        nameOf={({ clientId, sessionUid }) => `the logout of ${sessionUid} at ${clientId}`}
        columns={COLUMNS}
        detail={(letter) => <DeliveryDetail delivery={letter} />}
        selection={selection}
        empty={
          isFiltered ? (
            <Empty title="No dead letter is found by this filter" />
          ) : (
            <Empty title="There is no dead letter" />
          )
        }
      />
      <SelectionBar selection={selection} one="dead letter">
        <AllowedButton
          tone="primary"
          onPress={() => {
            const letters = selection.rows.map(({ delivery, sessionUid }) => ({ delivery, sessionUid }))
            askToReplay({ letters }, counted(letters.length, 'dead letter'), clear)
          }}
        >
          Send {counted(selection.size, 'dead letter')} again…
        </AllowedButton>
      </SelectionBar>
    </>
  )
}

type Filter = {
  readonly [Name in keyof Omit<DeadLettersQuery, keyof PageQuery | 'state'>]: DeadLettersQuery[Name] | undefined
}

function useFilter(): Filter {
  const within = inQuery('within')
  const since = useMemo(() => sinceOf(within, now()), [within])
  return {
    q: inQuery('q'),
    client: inQuery('client'),
    failureReason: inQuery('failureReason'),
    since,
  }
}

function present(filter: Filter): Omit<DeadLettersQuery, keyof PageQuery> {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))
}

const COLUMNS: readonly Column<DeadLetter>[] = [
  { head: 'RP', kind: 'grow', cell: ({ clientId }) => <ClientLink id={clientId} /> },
  {
    head: 'Why',
    cell: ({ state, failureReason, attempts }) => (
      <TwoLines
        main={<Chip tone={toneOf(state)} text={state} />}
        sub={`${failureText(failureReason)} · ${counted(attempts, 'attempt')}`}
      />
    ),
  },
  { head: 'Last answer', kind: 'grow', cell: (letter) => <LastAnswer {...letter} /> },
  { head: 'Given up', cell: ({ at }) => <Time at={at} /> },
  {
    head: 'Actions',
    kind: 'actions',
    cell: ({ delivery, sessionUid, clientId }) => (
      <AllowedButton
        small
        label={`Send again to ${clientId}, session ${sessionUid}`}
        onPress={() =>
          askToReplay({ letters: [{ delivery, sessionUid }] }, `this logout to ${clientId}`, () => undefined)
        }
      >
        Send again…
      </AllowedButton>
    ),
  },
]
