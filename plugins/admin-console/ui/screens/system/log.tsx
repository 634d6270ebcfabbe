import type { CommitRow, EventRow } from '../../../api/contract.ts'
import type { Column } from '../../list/list-table.tsx'
import { PagedList } from '../../list/paged-list.tsx'
import { ClientLink, logoutPath } from '../../parts/links.tsx'
import { ScreenHead } from '../../parts/screen-head.tsx'
import { Empty } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'
import { counted, number, reasonText } from '../../parts/words.ts'
import { hrefOf } from '../../routing/location.ts'
import { ExplainForm } from './explain-form.tsx'

/** The log's tail, and what became of a token or an id. */
export function Log() {
  return (
    <>
      <ScreenHead title="Log" hint="The newest commits first. What they hold is not shown: only what they are." />
      <ExplainForm />
      <PagedList<CommitRow>
        what="Commits"
        route="/log"
        topics={['log']}
        keyOf={({ position }) => String(position)}
        nameOf={({ position }) => `commit ${position}`}
        columns={COLUMNS}
        detail={(commit) => <CommitDetail commit={commit} />}
        empty={<Empty title="The log is empty" />}
      />
    </>
  )
}

const COLUMNS: readonly Column<CommitRow>[] = [
  { head: 'Commit', kind: 'number', cell: ({ position }) => number(position) },
  { head: 'When', cell: ({ at }) => <Time at={at} /> },
  { head: 'What', kind: 'grow', cell: (commit) => <Events commit={commit} /> },
  { head: 'Who', cell: ({ actor }) => actor ?? '' },
]

/** So many kinds of events are named in a row. */
const MOST_NAMED = 3

function Events({ commit: { events, eventCount } }: { readonly commit: CommitRow }) {
  const names = [...new Set(events.map(nameOf))]
  return (
    <span class="tags">
      {names.slice(0, MOST_NAMED).map((name) => (
        <span key={name} class="tag">
          {name}
        </span>
      ))}
      {eventCount > 1 && <span class="hint">{counted(eventCount, 'event')}</span>}
    </span>
  )
}

function CommitDetail({ commit: { position, issuer, events, eventCount } }: { readonly commit: CommitRow }) {
  return (
    <div class="detail">
      <p class="hint">
        Commit {number(position)}
        {issuer !== undefined && ` of ${issuer}`}
      </p>
      <ul class="events">
        {events.map((event, index) => (
          <li key={`${index} ${nameOf(event)}`}>
            <span class="tag">{nameOf(event)}</span>
            {event.clientId !== undefined && <ClientLink id={event.clientId} />}
            {event.status !== undefined && <span>status {event.status}</span>}
            {event.reason !== undefined && <span>{reasonText(event.reason)}</span>}
            {event.sessionUid !== undefined && (
              <a href={hrefOf(logoutPath(event.sessionUid))}>Timeline of the session</a>
            )}
          </li>
        ))}
      </ul>
      {eventCount > events.length && <p class="hint">and {number(eventCount - events.length)} more</p>}
    </div>
  )
}

/** `Session stored`; of facts of a logout what they say of it: `logout confirmed`. */
function nameOf({ kind, type }: EventRow): string {
  return type.includes(kind) ? type : `${kind} ${type}`
}
