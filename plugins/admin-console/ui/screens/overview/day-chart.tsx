import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { Overview } from '../../../api/contract.ts'
import { counted, number } from '../../parts/words.ts'
import type { DayPlot } from './day-plot.ts'
import { type DaySeries, daySeries } from './day-series.ts'

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })

/** The last 24 hours by quarters of an hour. The figures under the pointer are told as text below. */
export function DayChart({ statistics }: { readonly statistics: NonNullable<Overview['statistics']> }) {
  const series = daySeries(statistics)
  const frame = useRef<HTMLDivElement>(null)
  const plot = useRef<DayPlot | undefined>(undefined)
  const latest = useRef(series)
  const pointed = useSignal<number | undefined>(undefined)
  const isMissing = useSignal(false)
  latest.current = series
  useEffect(() => {
    let isGone = false
    import('./day-plot.ts')
      .then(({ DayPlot }) => {
        if (isGone || !frame.current) return
        plot.current = new DayPlot(frame.current, latest.current, (index) => {
          pointed.value = index
        })
      })
      .catch(() => {
        isMissing.value = true // a newer console has replaced the file: the table below has the figures
      })
    return () => {
      isGone = true
      plot.current?.destroy()
      plot.current = undefined
    }
  }, [pointed, isMissing])
  useEffect(() => plot.current?.show(series))
  const { logouts, confirmed, failed } = statisticsOf(series)
  const summary = `The last 24 hours: ${counted(logouts, 'logout')}, ${number(confirmed)} confirmed, ${number(failed)} failed`
  return (
    <section aria-labelledby="day">
      <h2 id="day">Deliveries, by quarters of an hour</h2>
      <figure class="chart">
        <div class="plot" ref={frame} role="img" aria-label={summary} />
        {isMissing.value && <p class="hint">The chart could not be loaded: load the page again.</p>}
        <figcaption>
          <span class="key logouts">Logouts</span>
          <span class="key confirmed">Confirmed</span>
          <span class="key failed">Failed</span>
          <span class="reading">{readingOf(series, pointed.value)}</span>
        </figcaption>
      </figure>
      <details>
        <summary>The same as a table</summary>
        <Table series={series} />
      </details>
    </section>
  )
}

function Table({ series }: { readonly series: DaySeries }) {
  const busy = series.from
    .map((from, index) => ({ from, at: index }))
    .filter(({ at }) => (series.logouts[at] ?? 0) + (series.confirmed[at] ?? 0) + (series.failed[at] ?? 0) > 0)
  if (busy.length === 0) return <p class="hint">Nothing happened.</p>
  return (
    <table class="plain">
      <thead>
        <tr>
          <th scope="col">From</th>
          <th scope="col" class="number">
            Logouts
          </th>
          <th scope="col" class="number">
            Confirmed
          </th>
          <th scope="col" class="number">
            Failed
          </th>
        </tr>
      </thead>
      <tbody>
        {busy.map(({ from, at }) => (
          <tr key={from}>
            <td>{CLOCK.format(from * 1_000)}</td>
            <td class="number">{number(series.logouts[at] ?? 0)}</td>
            <td class="number">{number(series.confirmed[at] ?? 0)}</td>
            <td class="number">{number(series.failed[at] ?? 0)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function readingOf(series: DaySeries, index: number | undefined): string {
  const from = index === undefined ? undefined : series.from[index]
  if (index === undefined || from === undefined) return ''
  const hours = `${CLOCK.format(from * 1_000)} – ${CLOCK.format((from + 900) * 1_000)}`
  const counts = [
    counted(series.logouts[index] ?? 0, 'logout'),
    `${number(series.confirmed[index] ?? 0)} confirmed`,
    `${number(series.failed[index] ?? 0)} failed`,
  ]
  return `${hours}: ${counts.join(', ')}`
}

function statisticsOf(series: DaySeries) {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  return { logouts: sum(series.logouts), confirmed: sum(series.confirmed), failed: sum(series.failed) }
}
