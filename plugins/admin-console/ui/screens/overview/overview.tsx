import type { Overview as OverviewAnswer } from '../../../api/contract.ts'
import { ResourceView } from '../../parts/resource-view.tsx'
import { ScreenHead } from '../../parts/screen-head.tsx'
import { Time } from '../../parts/time.tsx'
import { duration } from '../../parts/time-text.ts'
import { apiUrl } from '../../server/request.ts'
import { me } from '../../shell/me.ts'
import { DayChart } from './day-chart.tsx'
import { Figures } from './figures.tsx'
import { HealthList } from './health-list.tsx'
import { Problems } from './problems.tsx'

const TOPICS = ['sessions', 'logouts', 'dead_letters', 'clients', 'features', 'parked'] as const

/** How often it is asked for at most, in milliseconds: it costs the server more than a list. */
const REFRESH_MS = 5_000

/** How it stands, problems first. */
export function Overview() {
  return (
    <ResourceView<OverviewAnswer>
      url={apiUrl('/overview')}
      topics={TOPICS}
      refreshMs={REFRESH_MS}
      what="the overview"
      head={() => <ScreenHead title="Overview" hint={me.value?.issuer} />}
    >
      {(overview) => (
        <>
          <Problems problems={overview.problems} />
          <Figures overview={overview} />
          {overview.statistics && <DayChart statistics={overview.statistics} />}
          <HealthList health={overview.health} />
          <p class="hint">
            As of <Time at={overview.at} />
            {cutText(overview)}.
          </p>
        </>
      )}
    </ResourceView>
  )
}

/** Where there is more in the log than can be counted. */
function cutText({ statistics }: OverviewAnswer): string {
  if (!statistics || statistics.isWhole) return ''
  return `, of the last ${duration(statistics.until - statistics.since)}: more could not be counted`
}
