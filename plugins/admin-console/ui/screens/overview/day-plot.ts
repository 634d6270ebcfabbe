import uPlot from 'uplot'
import { bars, QUARTER_SECONDS, steps } from './day-paths.ts'
import type { DaySeries } from './day-series.ts'

/** The height of the plot, in pixels. */
const HEIGHT = 220

/** A plot of a day that fits its frame and follows the colours of the page. It sets no inline style by HTML: CSP. */
export class DayPlot {
  readonly #frame: HTMLElement
  readonly #hear: (index: number | undefined) => void
  readonly #resizing: ResizeObserver
  readonly #dark = matchMedia('(prefers-color-scheme: dark)')
  readonly #theming: MutationObserver
  #series: DaySeries
  #plot: uPlot

  /** @param hear told which quarter the pointer is at */
  constructor(frame: HTMLElement, series: DaySeries, hear: (index: number | undefined) => void) {
    this.#frame = frame
    this.#series = series
    this.#hear = hear
    this.#plot = this.#draw()
    this.#resizing = new ResizeObserver(() => {
      const width = this.#frame.clientWidth
      if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT })
    })
    this.#resizing.observe(frame)
    this.#theming = new MutationObserver(this.#redraw)
    this.#theming.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
    this.#dark.addEventListener('change', this.#redraw)
  }

  show(series: DaySeries): void {
    this.#series = series
    this.#plot.setData(dataOf(series))
  }

  destroy(): void {
    this.#resizing.disconnect()
    this.#theming.disconnect()
    this.#dark.removeEventListener('change', this.#redraw)
    this.#plot.destroy()
  }

  readonly #redraw = (): void => {
    this.#plot.destroy()
    this.#plot = this.#draw()
  }

  #draw(): uPlot {
    const style = getComputedStyle(this.#frame)
    const colour = (name: string): string => style.getPropertyValue(name).trim()
    const ink = this.#resolve(colour('--muted'))
    const line = this.#resolve(colour('--line'))
    const confirmed = this.#resolve(colour('--chart-confirmed'))
    const axis: uPlot.Axis = {
      stroke: ink,
      grid: { stroke: line, width: 1 },
      ticks: { stroke: line, width: 1, size: 4 },
      font: `12px ${style.fontFamily}`,
    }
    const common: uPlot.Series = { points: { show: false } }
    return new uPlot(
      {
        width: Math.max(this.#frame.clientWidth, 200),
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        scales: {
          x: { range: (_, min, max) => [min, max + QUARTER_SECONDS] },
          y: { range: (_, __, max) => [0, Math.max(4, Math.ceil(max * 1.1))] },
        },
        axes: [
          { ...axis, grid: { show: false }, values: '{HH}:{mm}', space: 64, size: 32 },
          {
            ...axis,
            size: 44,
            incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 100_000],
          },
        ],
        series: [
          {},
          { ...common, paths: bars, fill: confirmed, stroke: confirmed, width: 0 },
          { ...common, paths: steps, stroke: this.#resolve(colour('--chart-logouts')), width: 2 },
          { ...common, paths: steps, stroke: this.#resolve(colour('--chart-failed')), width: 2, dash: [5, 4] },
        ],
        hooks: { setCursor: [({ cursor }) => this.#hear(cursor.idx ?? undefined)] },
      },
      dataOf(this.#series),
      this.#frame,
    )
  }

  /** A canvas knows no `light-dark()`: the browser says which of the two it is. */
  #resolve(value: string): string {
    const probe = document.createElement('span')
    probe.style.color = value
    this.#frame.append(probe)
    const { color } = getComputedStyle(probe)
    probe.remove()
    return color
  }
}

function dataOf({ from, confirmed, logouts, failed }: DaySeries): uPlot.AlignedData {
  return [[...from], [...confirmed], [...logouts], [...failed]]
}
