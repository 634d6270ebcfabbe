import type { Overview as OverviewAnswer } from '../../../api/contract.ts'
import { ScreenHead } from '../../parts/screen-head.tsx'
import { Failing, Loading, Outdated } from '../../parts/states.tsx'
import { duration, Time } from '../../parts/time.tsx'
import { apiUrl } from '../../server/request.ts'
import { useResource } from '../../server/resource.ts'
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
  const { state, reload } = useResource<OverviewAnswer>(apiUrl('/overview'), TOPICS, REFRESH_MS)
  const { value, failure } = state.value
  return (
    <>
      <ScreenHead title="Overview" hint={me.value?.issuer} />
      {!value && (failure ? <Failing failure={failure} retry={reload} /> : <Loading what="the overview" />)}
      {value && (
        <>
          {failure && <Outdated failure={failure} retry={reload} />}
          <Problems problems={value.problems} />
          <Figures overview={value} />
          {value.statistics && <DayChart statistics={value.statistics} />}
          <HealthList health={value.health} />
          <p class="hint">
            As of <Time at={value.at} />
            {value.statistics?.isWhole === false &&
              `. So much is in the log that its newest part alone was counted: the last ${duration(value.statistics.until - value.statistics.since)}`}
            .
          </p>
        </>
      )}
    </>
  )
}
