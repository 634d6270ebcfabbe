import type { Overview } from '../../../api/contract.ts'
import { clientPath } from '../../parts/links.tsx'
import { Tile } from '../../parts/tile.tsx'
import { Time } from '../../parts/time.tsx'
import { duration } from '../../parts/time-text.ts'
import { bounded, counted, number, percent } from '../../parts/words.ts'

/** What stands now, and what the last 24 hours were like. */
export function Figures({ overview }: { readonly overview: Overview }) {
  const { sessions, health, statistics, oldestPending } = overview
  return (
    <div class="figure-groups">
      <section aria-labelledby="figures-now">
        <h2 id="figures-now">Now</h2>
        <dl class="tiles">
          <Tile label="Live sessions" value={sessions ? bounded(sessions) : 'Unknown'} to="/sessions" />
          <Tile
            label="Pending deliveries"
            value={pendingText(health.deliveries?.open)}
            hint={overdueText(overview)}
            to="/pending"
          />
          <Tile
            label="Oldest pending"
            value={<Time at={oldestPending?.endedAt} none={health.deliveries?.open === 0 ? 'None' : 'Unknown'} />}
            hint={oldestPending && `${oldestPending.clientId}${oldestPending.isExact ? '' : ', or longer'}`}
            {...(oldestPending && { to: clientPath(oldestPending.clientId) })}
          />
          <Tile
            label="Dead letters"
            value={health.deadLetters ? bounded(health.deadLetters) : 'Unknown'}
            tone={health.deadLetters && health.deadLetters.count > 0 ? 'warn' : undefined}
            to="/dead-letters"
          />
        </dl>
      </section>
      {statistics && <Day figures={statistics.total} />}
    </div>
  )
}

function Day({ figures }: { readonly figures: NonNullable<Overview['statistics']>['total'] }) {
  const lost = figures.rejected + figures.abandoned
  const attempts = figures.confirmed + figures.attemptsFailed + lost
  return (
    <section aria-labelledby="figures-day">
      <h2 id="figures-day">Last 24 hours</h2>
      <dl class="tiles">
        <Tile label="Logouts" value={number(figures.logouts)} to="/logouts?within=24h" />
        <Tile
          label="RPs told"
          value={number(figures.confirmed)}
          hint={
            attempts === 0
              ? 'No attempt was made'
              : `${percent(figures.confirmed / attempts)} of ${counted(attempts, 'attempt')}`
          }
        />
        <Tile
          label="Time to logout"
          value={figures.timeToLogoutMs ? duration(figures.timeToLogoutMs.p50) : '–'}
          hint={figures.timeToLogoutMs ? `p50; p95 ${duration(figures.timeToLogoutMs.p95)}` : 'No RP confirmed'}
        />
        <Tile
          label="New dead letters"
          value={number(lost)}
          hint={`${number(figures.rejected)} refused, ${number(figures.abandoned)} given up`}
          tone={lost > 0 ? 'warn' : undefined}
          to="/dead-letters?within=24h"
        />
      </dl>
    </section>
  )
}

function pendingText(open: number | undefined): string {
  return open === undefined ? 'Very many' : number(open)
}

function overdueText({ health: { deliveries } }: Overview): string {
  if (!deliveries) return 'Unknown: the store does not answer'
  if (deliveries.overdueMs === undefined) return 'One is due at once'
  return deliveries.overdueMs === 0 ? 'None is overdue' : `Overdue for ${duration(deliveries.overdueMs)}`
}
